/* The flame graph: the outermost frame at the bottom, as wide as what was asked for below it. */
function flame(section, told) {
  const place = section.querySelector(".flame-place");
  const ROW = 18, MOST = 4000;
  let view = 0, native = false, wanted = "", root = null, focus = null;
  const picture = svg("svg", { class: "flame", width: "100%", role: "group", "aria-label": "Flame graph of what is live" });
  const said = html("p", { class: "flame-say", "aria-live": "polite" });
  const views = told.flames.map(([name], number) => {
    const made = button(`At ${name}`, () => { view = number; build(); });
    return made;
  });
  const frames = button("C++ frames too", () => { native = !native; build(); });
  const search = html("input", { type: "search", placeholder: "Highlight", "aria-label": "Highlight frames that have this text" });
  search.addEventListener("input", () => { wanted = search.value.trim().toLowerCase(); draw(); });
  const back = button("Whole", () => { focus = root; draw(); });
  place.replaceChildren(html("div", { class: "tools" }, ...views, frames, back, search,
    html("span", { class: "hint" }, "Click zooms. Arrow keys walk, Enter zooms, Escape goes back.")), picture, said);

  function node(name, parent, depth) {
    return { name, parent, depth, size: 0, kinds: {}, children: new Map() };
  }
  function add(target, size, category) {
    target.size += size;
    target.kinds[category] = (target.kinds[category] || 0) + size;
  }
  function build() {
    const [, , live, sites] = told.flames[view];
    root = node(`all that is live: ${amount(live)}`, null, 0);
    let known = 0;
    for (const [number, size] of sites) {
      const site = siteOf(number);
      let here = root;
      add(here, size, site.category);
      known += size;
      const shown = site.frames.filter((frame) => native || TOLD.frames[frame][1]).reverse();
      const names = shown.map((frame) => TOLD.frames[frame][0]);
      if (!names.length) names.push(site.frames.length ? "C++ alone" : "no stack recorded");
      for (const name of names) {
        if (!here.children.has(name)) here.children.set(name, node(name, here, here.depth + 1));
        here = here.children.get(name);
        add(here, size, site.category);
      }
    }
    if (live > known) {
      const rest = node("smaller sites, not told apart here", root, 1);
      rest.size = live - known;
      root.size = live;
      root.children.set(rest.name, rest);
    }
    focus = root;
    views.forEach((made, number) => made.setAttribute("aria-pressed", String(number === view)));
    frames.setAttribute("aria-pressed", String(native));
    draw();
  }
  function mostly(one) {
    const kinds = Object.entries(one.kinds).sort((left, right) => right[1] - left[1]);
    return kinds.length ? kind(kinds[0][0]) : "rest";
  }
  function tell(one) {
    const kinds = Object.entries(one.kinds).sort((left, right) => right[1] - left[1]).slice(0, 4)
      .map(([number, size]) => `${title(number)} ${amount(size)}`).join(", ");
    said.textContent = `${one.name} — ${amount(one.size)}, ${percent(one.size, root.size)} of what is live${kinds ? ` (${kinds})` : ""}`;
  }
  function draw(keep) {
    const width = Math.max(200, Math.round(place.getBoundingClientRect().width));
    const rows = [], chain = [];
    for (let one = focus; one; one = one.parent) chain.unshift(one);
    for (const one of chain) rows.push([one, 0, width]);
    const waiting = [[focus, 0, width]];
    while (waiting.length && rows.length < MOST) {
      const [one, x, room] = waiting.shift();
      let left = x;
      for (const child of [...one.children.values()].sort((a, b) => b.size - a.size)) {
        const wide = (room * child.size) / Math.max(1, one.size);
        if (wide >= 1) { rows.push([child, left, wide]); waiting.push([child, left, wide]); }
        left += wide;
      }
    }
    const deepest = Math.max(...rows.map(([one]) => one.depth));
    const height = (deepest + 1) * ROW;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    picture.replaceChildren(...rows.map(([one, x, wide]) => box(one, x, wide, height - (one.depth + 1) * ROW)));
    if (keep) picture.querySelector("[tabindex='0']").focus({ preventScroll: true });
    tell(focus);
  }
  function box(one, x, wide, y) {
    const sign = one === root ? "root" : one.children.size || Object.keys(one.kinds).length ? "" : "rest";
    const hit = !wanted || one.name.toLowerCase().includes(wanted);
    const group = svg("g", { tabindex: one === focus ? 0 : -1, role: "button", class: `${sign} ${hit ? "" : "faint"}`,
      "aria-label": `${one.name}, ${amount(one.size)}` });
    const room = Math.floor((wide - 8) / 5.8), category = mostly(one);
    group.append(svg("rect", { x, y, width: wide, height: ROW - 1, class: `k-${category}` }));
    if (room > 3) {
      const text = one.name.length > room ? `${one.name.slice(0, room - 1)}…` : one.name;
      group.append(svg("text", { x: x + 4, y: y + 12.5 }, text));
    }
    one.drawn = group;
    group.addEventListener("click", () => { focus = one; draw(true); });
    group.addEventListener("pointerenter", () => tell(one));
    group.addEventListener("focus", () => tell(one));
    group.addEventListener("keydown", (key) => walk(key, one));
    return group;
  }
  function walk(key, one) {
    const beside = one.parent ? [...one.parent.children.values()].sort((a, b) => b.size - a.size) : [one];
    const place = beside.indexOf(one);
    const moves = { ArrowDown: one.parent, ArrowUp: [...one.children.values()].sort((a, b) => b.size - a.size)[0],
      ArrowLeft: beside[place - 1], ArrowRight: beside[place + 1] };
    if (key.key === "Enter" || key.key === " ") { focus = one; draw(true); }
    else if (key.key === "Escape") { focus = root; draw(true); }
    else if (key.key in moves) {
      const next = moves[key.key];
      if (next && next.drawn && next.drawn.isConnected) next.drawn.focus();
    } else return;
    key.preventDefault();
  }
  new ResizeObserver(() => { if (picture.viewBox.baseVal.width !== Math.round(place.getBoundingClientRect().width)) draw(); }).observe(place);
  build();
}
