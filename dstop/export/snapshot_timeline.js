/* The timeline: drag or wheel zooms, arrows or the pointer move a cursor, and the cursor says what is live. */
function timeline(section, told) {
  const chart = section.querySelector("svg.timeline");
  if (!chart) return;
  const LEAST = 8; /* points, of which a window has at least so many */
  const HEIGHT = chart.viewBox.baseVal.height;
  const first = told.event[0], last = told.event[told.event.length - 1];
  const capacity = chart.querySelector(".capacity");
  let from = first, to = last, at = told.peak, width = 1000, dragged = null, pinned = true;
  const ticks = [...section.querySelectorAll(".ticks span")];
  const readout = html("div", { class: "readout" });
  const hint = html("span", { class: "hint" }, "Drag to zoom. Click keeps the cursor. Arrow keys move it; + − 0 zoom.");
  const tools = html("div", { class: "tools" },
    button("The peak", () => show(told.peak, true)),
    ...told.failures.slice(0, 3).map((each, number) => button(told.failures.length > 1 ? `Failure ${number + 1}` : "The failure", () => show(each[0], true))),
    button("The end", () => show(last, true)),
    button("+", () => zoom(0.5, at)), button("−", () => zoom(2, at)), button("All", () => range(first, last)), hint);
  section.querySelector(".timeline-place").before(tools);
  section.querySelector(".legend").after(readout);
  for (const [key, value] of Object.entries({ tabindex: 0, role: "slider", "aria-valuemin": first, "aria-valuemax": last,
    "aria-label": "Cursor over the recording, in events" })) chart.setAttribute(key, value);

  function place(list, wanted) {
    let low = 0, high = list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (list[middle] <= wanted) low = middle; else high = middle - 1;
    }
    return low;
  }
  function nearest(list, wanted) {
    const low = place(list, wanted);
    return low + 1 < list.length && list[low + 1] - wanted < wanted - list[low] ? low + 1 : low;
  }
  /* The points of the window, one more on each side; of as many as a pixel has, the highest. */
  function chosen() {
    const begin = place(told.event, from), end = Math.min(told.event.length - 1, place(told.event, to) + 1);
    const step = Math.max(1, Math.floor((end - begin) / width)), kept = [];
    for (let index = begin; index <= end; index += step) {
      let best = index;
      for (let other = index; other < Math.min(end + 1, index + step); other++) if (told.live[other] > told.live[best]) best = other;
      kept.push(best);
    }
    if (kept[kept.length - 1] !== end) kept.push(end);
    return kept;
  }
  function draw() {
    width = Math.max(200, Math.round(chart.getBoundingClientRect().width));
    chart.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    for (const line of chart.querySelectorAll(".grid")) line.setAttribute("x2", width);
    const kept = chosen();
    let top = 1;
    for (const index of kept) top = Math.max(top, told.live[index], told.reserved[index]);
    if (capacity && from === first && to === last) top = Math.max(top, told.capacity);
    top *= 1.04;
    ticks.forEach((tick, number) => { tick.textContent = amount((top * (ticks.length - 1 - number)) / (ticks.length - 1)); });
    const x = (event) => ((event - from) * width) / Math.max(1, to - from);
    const y = (units) => HEIGHT - (units * HEIGHT) / top;
    const path = (list, amounts) => list.map((index, number) => `${x(told.event[index]).toFixed(1)} ${y(amounts[number]).toFixed(1)}`).join("L");
    const drawn = [];
    let below = kept.map(() => 0);
    for (const [number, shares] of Object.entries(told.shares)) {
      const above = kept.map((index, which) => below[which] + shares[index]);
      const d = `M${path(kept, above)}L${path([...kept].reverse(), [...below].reverse())}z`;
      drawn.push(svg("path", { d, class: `area k-${kind(number)}` }, svg("title", {}, title(number))));
      if (document.getElementById(`c-${kind(number)}`)) drawn.push(svg("path", { d, fill: `url(#c-${kind(number)})`, class: "over-area" }));
      below = above;
    }
    drawn.push(svg("path", { d: `M${path(kept, kept.map((index) => told.reserved[index]))}`, class: "reserved" }));
    if (told.capacity) drawn.push(svg("line", { x1: 0, x2: width, y1: y(told.capacity), y2: y(told.capacity), class: "capacity" }));
    chart.classList.toggle("dense", kept.length > width / 3);
    const upright = (event, name) => svg("line", { x1: x(event), x2: x(event), y1: 0, y2: HEIGHT, class: name });
    drawn.push(upright(told.peak, "peak"), ...told.failures.map((each) => upright(each[0], "oom")));
    if (at >= from && at <= to) drawn.push(upright(at, "cursor"));
    if (dragged && Math.abs(dragged.to - dragged.from) > 0) {
      const [left, right] = [x(dragged.from), x(dragged.to)].sort((one, other) => one - other);
      drawn.push(svg("rect", { x: left, width: right - left, y: 0, height: HEIGHT, class: "chosen" }));
    }
    chart.querySelector(".drawn").replaceChildren(...drawn);
  }
  function say() {
    const index = nearest(told.event, at);
    at = told.event[index];
    const moment = told.moments[nearest(told.moments.map((each) => each[0]), at)];
    const [event, phase, step, older, sites] = moment;
    const time = told.time.length ? `, ${(told.time[index] / 1e6).toFixed(3)} s after the first` : "";
    const where = phase === "other" ? "" : `, ${phase}${step === null ? "" : ` of step ${step}`}`;
    const head = `After ${count(at)} of ${count(told.events)} events${time}: ${amount(told.live[index])} live, ${amount(told.reserved[index])} reserved`;
    const shares = Object.entries(told.shares).filter(([, list]) => list[index]).map(([number, list]) =>
      html("tr", {}, html("td", {}, html("span", { class: "cat" }, swatch(kind(number)), title(number))),
        html("td", { class: "n" }, amount(list[index])), html("td", { class: "n" }, percent(list[index], told.live[index]))));
    const rows = sites.map(([number, size, blocks]) => {
      const site = siteOf(number);
      return html("tr", {}, html("td", { class: "n" }, amount(size)), html("td", {}, swatch(kind(site.category))),
        html("td", {}, site.label || title(site.category)), html("td", { class: "n" }, `× ${count(blocks)}`));
    });
    const near = event === at ? "Largest sites then" : `Largest sites after ${count(event)} events, the nearest moment that this page has them for`;
    readout.replaceChildren(
      html("p", {}, html("b", {}, head), event === at ? where : ""),
      html("table", {}, html("tbody", {}, ...shares)),
      html("div", {}, html("p", {}, near + (older ? ` (${amount(older)} are older than the recording)` : "")), html("table", {}, html("tbody", {}, ...rows))));
    chart.setAttribute("aria-valuenow", at);
    chart.setAttribute("aria-valuetext", head);
  }
  function show(event, keep) {
    at = Math.max(first, Math.min(last, event));
    pinned = keep;
    if (at < from || at > to) { const half = (to - from) / 2; range(at - half, at + half); return; }
    say(); draw();
  }
  function range(begin, end) {
    const middle = (begin + end) / 2;
    let span = Math.max(1, end - begin);
    do {
      span = Math.min(last - first, span);
      from = Math.max(first, Math.min(last - span, middle - span / 2));
      to = from + span;
      span *= 1.4;
    } while (place(told.event, to) - place(told.event, from) < LEAST && to - from < last - first);
    say(); draw();
  }
  function zoom(by, around) {
    range(around - (around - from) * by, around + (to - around) * by);
  }
  function eventAt(pointer) {
    const box = chart.getBoundingClientRect();
    return Math.max(from, Math.min(to, from + ((pointer.clientX - box.left) / box.width) * (to - from)));
  }
  chart.addEventListener("pointerdown", (pointer) => {
    if (pointer.button) return;
    dragged = { from: eventAt(pointer), to: eventAt(pointer), x: pointer.clientX };
    if (pointer.pointerType === "mouse") chart.setPointerCapture(pointer.pointerId);
    chart.focus({ preventScroll: true });
  });
  chart.addEventListener("pointermove", (pointer) => {
    if (dragged) { dragged.to = eventAt(pointer); draw(); } else if (!pinned) show(eventAt(pointer), false);
  });
  chart.addEventListener("pointerup", (pointer) => {
    const drag = dragged;
    dragged = null;
    if (!drag) return;
    if (Math.abs(pointer.clientX - drag.x) > 4) range(Math.min(drag.from, drag.to), Math.max(drag.from, drag.to));
    else show(eventAt(pointer), true);
  });
  chart.addEventListener("pointercancel", () => { dragged = null; draw(); });
  chart.addEventListener("pointerenter", () => { pinned = false; });
  /* The page scrolls on over a drawing that nobody has clicked, and where there is nothing left to zoom out of. */
  chart.addEventListener("wheel", (wheel) => {
    if (document.activeElement !== chart && !wheel.ctrlKey) return;
    if (wheel.deltaY > 0 && from === first && to === last) return;
    wheel.preventDefault();
    zoom(wheel.deltaY > 0 ? 1.25 : 0.8, eventAt(wheel));
  }, { passive: false });
  chart.addEventListener("keydown", (key) => {
    const index = nearest(told.event, at), page = Math.max(1, Math.round(told.event.length / 40));
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page, Home: -told.event.length, End: told.event.length };
    if (key.key in moves) show(told.event[Math.max(0, Math.min(told.event.length - 1, index + moves[key.key]))], true);
    else if (key.key === "+" || key.key === "=") zoom(0.5, at);
    else if (key.key === "-") zoom(2, at);
    else if (key.key === "0" || key.key === "Escape") range(first, last);
    else return;
    key.preventDefault();
  });
  chart.addEventListener("dblclick", () => range(first, last));
  new ResizeObserver(draw).observe(chart);
  say(); draw();
}
