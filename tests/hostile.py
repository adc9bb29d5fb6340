"""Names that break out of C, Markdown and HTML where nobody escapes them."""

HOSTILE = (
    "a\nexecute_process(COMMAND touch owned)",
    "*/ int owned; /*",
    "/*/ **// *\\/",
    'quote " and \\',
    "ends in a backslash \\",
    "trigraph ??/\n",
    "$(touch owned) `touch owned` ${owned} %s %n",
    "]] #[[ \r\x00\x1b[2J\u202e\u2066",
    "# heading <script>alert(1)</script> [link](x) | cell",
    "x" * 10_000,
    "\ud800 half of a pair",
)
