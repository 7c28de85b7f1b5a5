/* The segment map: pointer or arrow keys choose a block, and the line below says whose it is. */
function maps(section, told) {
  for (const picture of section.querySelectorAll("svg.map")) map(picture, told.groups[Number(picture.dataset.group)]);
}
function map(picture, bars) {
  const PITCH = 18, BAR = 14;
  const said = html("p", { class: "map-say", "aria-live": "polite" });
  const pointed = svg("rect", { class: "pointed", height: BAR, width: 0 });
  picture.append(pointed);
  picture.setAttribute("role", "application");
  picture.setAttribute("aria-label", "Blocks of this pool; arrow keys go from one to the next");
  picture.parentElement.after(said);
  let bar = 0, block = -1;

  function show() {
    const [x, width, line, address, total, expandable, blocks] = bars[bar];
    let before = 0;
    for (let index = 0; index < block; index++) before += blocks[index][0];
    const one = blocks[block];
    const segment = `segment ${address} of ${amount(total)}${expandable ? ", expandable" : ""}`;
    if (!one) { said.textContent = segment; return; }
    const scale = width / Math.max(1, total);
    pointed.setAttribute("x", x + before * scale);
    pointed.setAttribute("y", line * PITCH);
    pointed.setAttribute("width", Math.max(1, one[0] * scale));
    const [size, what, many, label, requested, name] = one;
    const words = { free: "free", pending: "freed, still used by another stream", used: "used, not told apart" };
    const purpose = typeof what === "number" ? title(what) : words[what];
    const parts = [`${amount(size)} ${purpose}`];
    if (many > 1) parts.push(`${count(many)} blocks`);
    if (requested && requested !== size * TOLD.unit) parts.push(`${count(requested)} bytes asked for`);
    if (name) parts.push(name);
    if (label !== undefined && TOLD.labels[label]) parts.push(TOLD.labels[label]);
    parts.push(`at ${amount(before)} of ${segment}`);
    said.textContent = parts.join(" · ");
  }
  picture.addEventListener("pointermove", (pointer) => {
    const box = picture.getBoundingClientRect();
    const x = ((pointer.clientX - box.left) / box.width) * picture.viewBox.baseVal.width;
    const line = Math.floor(((pointer.clientY - box.top) / box.height) * (picture.viewBox.baseVal.height / PITCH));
    const found = bars.findIndex((each) => each[2] === line && x >= each[0] && x <= each[0] + each[1]);
    if (found < 0) return;
    const [left, width, , , total, , blocks] = bars[found];
    let rest = ((x - left) / width) * total, index = 0;
    while (index < blocks.length - 1 && rest > blocks[index][0]) rest -= blocks[index++][0];
    bar = found; block = index;
    show();
  });
  picture.addEventListener("keydown", (key) => {
    if (key.key === "ArrowRight") { if (++block >= bars[bar][6].length) { bar = Math.min(bars.length - 1, bar + 1); block = 0; } }
    else if (key.key === "ArrowLeft") { if (--block < 0) { bar = Math.max(0, bar - 1); block = Math.max(0, bars[bar][6].length - 1); } }
    else if (key.key === "ArrowDown") { bar = Math.min(bars.length - 1, bar + 1); block = 0; }
    else if (key.key === "ArrowUp") { bar = Math.max(0, bar - 1); block = 0; }
    else return;
    key.preventDefault();
    show();
  });
}

for (const section of document.querySelectorAll("section.device")) {
  const told = TOLD.devices[Number(section.dataset.number)];
  timeline(section, told);
  flame(section, told);
  maps(section, told);
}
