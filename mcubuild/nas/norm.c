/* Batch norm and ReLU6 of matrices (rows, n), n channels innermost: two passes over memory each way.
 *
 * A narrow matrix is read as one of fewer and wider rows, so that a row fills the vector registers: "wide" columns,
 * of which every n-th is the same channel. Sums are kept in float for BLOCK rows, then in double.
 * scratch: 6 x wide doubles.
 */
typedef long long count;
enum { BLOCK = 64, WIDE = 128 };

static count widened(count rows, count n)
{
    count wide = n;
    while (wide < WIDE && rows * n % (2 * wide) == 0)
        wide *= 2;
    return wide;
}

static inline float clipped(float x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

/* Add the columns of each channel to those of the first one. */
static void fold(double *sums, count wide, count n)
{
    for (count c = n; c < wide; c++)
        sums[c % n] += sums[c];
}

void norm_forward(const float *restrict x, const float *weight, const float *bias, float *restrict y, float *mean,
                  float *scale, double *restrict scratch, count rows, count n, float eps, int relu6)
{
    const count wide = widened(rows, n), high = rows * n / wide;
    double *sums = scratch, *squares = scratch + wide;
    float *restrict a = (float *)(scratch + 2 * wide), *restrict b = a + wide;
    for (count c = 0; c < wide; c++)
        sums[c] = squares[c] = 0;
    for (count start = 0; start < high; start += BLOCK) {
        const count end = start + BLOCK < high ? start + BLOCK : high;
        for (count c = 0; c < wide; c++)
            a[c] = b[c] = 0;
        for (count row = start; row < end; row++)
            for (count c = 0; c < wide; c++) {
                const float v = x[row * wide + c];
                a[c] += v;
                b[c] += v * v;
            }
        for (count c = 0; c < wide; c++) {
            sums[c] += a[c];
            squares[c] += b[c];
        }
    }
    fold(sums, wide, n);
    fold(squares, wide, n);
    for (count c = 0; c < n; c++) {
        const double m = sums[c] / rows, variance = squares[c] / rows - m * m;
        mean[c] = (float)m;
        scale[c] = (float)(1 / __builtin_sqrt((variance > 0 ? variance : 0) + eps));
    }
    for (count c = 0; c < wide; c++) {
        a[c] = scale[c % n] * weight[c % n];
        b[c] = bias[c % n] - mean[c % n] * a[c];
    }
    for (count row = 0; row < high; row++)
        for (count c = 0; c < wide; c++) {
            const float v = x[row * wide + c] * a[c] + b[c];
            y[row * wide + c] = relu6 ? clipped(v) : v;
        }
}

void norm_backward(const float *restrict gradient, const float *restrict x, const float *weight, const float *bias,
                   const float *mean, const float *scale, float *restrict to_x, float *to_weight, float *to_bias,
                   double *restrict scratch, count rows, count n, int relu6)
{
    const count wide = widened(rows, n), high = rows * n / wide;
    double *sums = scratch, *products = scratch + wide;
    float *restrict a = (float *)(scratch + 2 * wide), *restrict b = a + wide, *restrict centre = b + wide;
    float *restrict s = centre + wide, *restrict p = s + wide;
    for (count c = 0; c < wide; c++) {
        sums[c] = products[c] = 0;
        a[c] = scale[c % n] * weight[c % n];
        b[c] = bias[c % n] - mean[c % n] * a[c];
        centre[c] = mean[c % n];
    }
    for (count start = 0; start < high; start += BLOCK) {
        const count end = start + BLOCK < high ? start + BLOCK : high;
        for (count c = 0; c < wide; c++)
            s[c] = p[c] = 0;
        for (count row = start; row < end; row++)
            for (count c = 0; c < wide; c++) {
                const float v = x[row * wide + c], y = v * a[c] + b[c], g = gradient[row * wide + c];
                const float kept = !relu6 || (y > 0 && y < 6) ? g : 0;
                s[c] += kept;
                p[c] += kept * (v - centre[c]);
            }
        for (count c = 0; c < wide; c++) {
            sums[c] += s[c];
            products[c] += p[c];
        }
    }
    fold(sums, wide, n);
    fold(products, wide, n);
    for (count c = 0; c < n; c++) {
        to_bias[c] = (float)sums[c];
        to_weight[c] = (float)(products[c] * scale[c]);
    }
    for (count c = 0; c < wide; c++) {
        s[c] = (float)(sums[c % n] / rows);
        p[c] = (float)(products[c % n] / rows) * scale[c % n] * scale[c % n];
    }
    for (count row = 0; row < high; row++)
        for (count c = 0; c < wide; c++) {
            const float v = x[row * wide + c], y = v * a[c] + b[c], g = gradient[row * wide + c];
            const float kept = !relu6 || (y > 0 && y < 6) ? g : 0;
            to_x[row * wide + c] = (kept - s[c] - (v - centre[c]) * p[c]) * a[c];
        }
}
