// A click on a title sorts the table by that column, a second one the other way round; what is not known stays last.
const body = document.querySelector("tbody");
document.querySelectorAll("th button").forEach((button, column) => {
  button.onclick = () => {
    const head = button.parentElement;
    const order = head.ariaSort === "ascending" ? -1 : 1;
    for (const other of head.parentElement.children) other.ariaSort = "none";
    head.ariaSort = order > 0 ? "ascending" : "descending";
    const text = (row) => row.children[column].textContent;
    const value = (row) => Number(row.children[column].dataset.value ?? NaN);
    const figures = [...body.rows].some((row) => !isNaN(value(row)));
    const known = (row) => (figures ? !isNaN(value(row)) : text(row) !== "");
    const compared = (a, b) => (figures ? value(a) - value(b) : text(a).localeCompare(text(b), undefined, { numeric: true }));
    body.append(...[...body.rows].sort((a, b) => known(b) - known(a) || (known(a) ? order * compared(a, b) : 0)));
  };
});
