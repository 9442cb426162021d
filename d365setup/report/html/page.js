
(() => {
  "use strict";
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const panels = all("[data-filter]");

  // Filters. An item is shown when each facet lets it through; the count says so aloud.
  const texts = new WeakMap();
  const textOf = (item) => {
    if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
    return texts.get(item);
  };

  function wanted(panel) {
    const tests = [];
    const chosen = new Map();
    for (const input of all("[data-facet]", panel)) {
      const facet = input.dataset.facet;
      if (input.type === "checkbox") {
        if (!chosen.has(facet)) chosen.set(facet, new Set());
        if (input.checked) chosen.get(facet).add(input.value);
      } else if (facet === "text") {
        const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        if (words.length) tests.push((item) => words.every((word) => textOf(item).includes(word)));
      } else if (input.value) {
        const value = input.value;
        tests.push((item) => item.dataset[facet] === value);
      }
    }
    for (const [facet, values] of chosen) tests.push((item) => values.has(item.dataset[facet]));
    return (item) => tests.every((test) => test(item));
  }

  function settle(panel, list, shown, total) {
    for (const chunk of all("[data-chunk]", list)) chunk.hidden = !chunk.querySelector("[data-item]:not([hidden])");
    for (const group of all("[data-group]", list)) group.hidden = !group.querySelector("[data-item]:not([hidden])");
    const empty = list.querySelector("[data-empty]");
    if (empty) empty.hidden = shown > 0;
    const count = document.querySelector(`[data-count="${list.id}"]`);
    const said = (number) => number.toLocaleString("en");
    const what = total === 1 ? panel.dataset.one : panel.dataset.many;
    if (count) count.textContent = shown === total ? `${said(total)} ${what}` : `${said(shown)} of ${said(total)} ${what} shown`;
  }

  function filter(panel) {
    const list = document.getElementById(panel.dataset.filter);
    const test = wanted(panel);
    const items = all("[data-item]", list);
    let shown = 0;
    for (const item of items) {
      item.hidden = !test(item);
      if (!item.hidden) shown += 1;
    }
    settle(panel, list, shown, items.length);
  }

  for (const panel of panels) {
    panel.hidden = false;
    panel.addEventListener("input", () => filter(panel));
    panel.addEventListener("change", () => filter(panel));
    panel.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if ("reset" in button.dataset) {
        for (const input of all("[data-facet]", panel)) {
          if (input.type === "checkbox") input.checked = true;
          else input.value = "";
        }
        filter(panel);
      }
      if ("fold" in button.dataset) fold(panel, button);
    });
  }

  // Many findings begin closed, few begin open.
  const FEW = 6;
  const cards = all("#findings-list > .card");
  const folding = document.querySelector("[data-fold]");
  if (cards.length > FEW) for (const card of cards) card.open = false;
  if (folding && cards.length > FEW) folding.textContent = "Open all";

  function fold(panel, button) {
    const open = button.textContent === "Open all";
    for (const card of all("#findings-list > .card")) card.open = open;
    button.textContent = open ? "Close all" : "Open all";
  }

  // A link to something on this page opens it and shows it, filtered out or not.
  function follow() {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { return; }
    const found = name && document.getElementById(name);
    if (!found) return;
    const item = found.closest("[data-item]");
    if (item && item.hidden) {
      item.hidden = false;
      const list = panels.map((panel) => document.getElementById(panel.dataset.filter)).find((each) => each.contains(item));
      const panel = panels.find((each) => each.dataset.filter === list.id);
      const items = all("[data-item]", list);
      settle(panel, list, items.filter((each) => !each.hidden).length, items.length);
    }
    for (let each = found; each; each = each.parentElement) if (each.localName === "details") each.open = true;
    found.scrollIntoView({ block: found.closest("svg") ? "center" : "start", inline: "center" });
    if (found.localName === "summary") found.focus({ preventScroll: true });
  }
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  follow();

  // Light, dark, or as the system says.
  const scheme = document.getElementById("scheme");
  const schemes = ["automatic", "light", "dark"];
  scheme.hidden = false;
  scheme.addEventListener("click", () => {
    const next = schemes[(schemes.indexOf(document.documentElement.dataset.scheme || "automatic") + 1) % schemes.length];
    if (next === "automatic") delete document.documentElement.dataset.scheme;
    else document.documentElement.dataset.scheme = next;
    scheme.textContent = `Colours: ${next}`;
  });

  // Paper cannot be clicked.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
    closed = [];
  });
})();
