"use strict";
// The class explorer and the tabs of splits. All text of the dataset goes through textContent.
(() => {
  const ROWS = 200;  // of a list, before a button asks for more
  const FOUND = 100;
  const SAMPLES = 24;

  const $ = (id) => document.getElementById(id);
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== "") element.textContent = text;
    return element;
  };
  const count = (number) => number.toLocaleString("en-US");
  const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

  // Splits: one at a time.
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const show = (chosen) => {
    for (const tab of tabs) {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      $(tab.getAttribute("aria-controls")).hidden = !on;
    }
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      const next = tabs[(i + step + tabs.length) % tabs.length];
      show(next);
      next.focus();
      event.preventDefault();
    });
  });
  if (tabs.length) show(tabs[0]);

  if (!$("tree")) return;
  const data = JSON.parse($("classes").textContent);
  const total = data.images.map((row) => row.reduce((sum, n) => sum + n, 0));
  const title = (node) => data.words[node][0] || data.names[node];
  const parents = data.names.map(() => []);
  data.children.forEach((children, node) => children.forEach((child) => parents[child].push(node)));
  const byName = new Map(data.names.map((name, node) => [name, node]));

  // From a root to the node, by first parents.
  const path = (node) => {
    const nodes = [node];
    while (parents[nodes[0]].length) nodes.unshift(parents[nodes[0]][0]);
    return nodes;
  };

  // Adds rows to a list: the first ROWS, and as many again whenever its last row, a button, is pressed.
  const growing = new WeakMap();  // of lists that have more rows: what adds them
  const fill = (list, nodes, row) => {
    let shown = 0;
    let rest = null;
    const more = () => {
      if (rest) rest.remove();
      growing.delete(list);
      for (const node of nodes.slice(shown, shown + ROWS)) list.append(row(node));
      shown += ROWS;
      if (shown >= nodes.length) return;
      growing.set(list, more);
      rest = make("li");
      rest.setAttribute("role", "none");
      const button = make("button", "more", `${count(nodes.length - shown)} more`);
      button.addEventListener("click", () => {
        const last = rest.previousElementSibling;
        more();
        focusItem(last.nextElementSibling);
      });
      rest.append(button);
      list.append(rest);
    };
    more();
  };
  // The row of a node, which may be among those that have not been asked for yet.
  const rowOf = (list, node) => {
    for (;;) {
      const found = [...list.children].find((child) => nodeOf.get(child) === node);
      if (found || !growing.has(list)) return found;
      growing.get(list)();
    }
  };

  // The tree. An item is built when its parent opens; a node below several parents has several items.
  const tree = $("tree");
  const nodeOf = new WeakMap();
  const item = (node) => {
    const li = make("li", data.labels[node] < 0 ? "inner" : "class");
    nodeOf.set(li, node);
    li.setAttribute("role", "treeitem");
    li.setAttribute("aria-selected", "false");
    li.tabIndex = -1;
    const line = make("div", "node");
    const arrow = make("span", "arrow", data.children[node].length ? "\u25b8" : "");
    arrow.setAttribute("aria-hidden", "true");
    line.append(arrow, make("span", "word", title(node)), make("span", "number", count(total[node])));
    line.title = data.words[node].join(", ") || data.names[node];
    li.setAttribute("aria-label", `${title(node)}, ${plural(total[node], "image", "images")}`);
    li.append(line);
    if (data.children[node].length) li.setAttribute("aria-expanded", "false");
    line.addEventListener("click", (event) => {
      event.stopPropagation();
      if (event.target === arrow) toggle(li);
      else {
        if (!li.hasAttribute("aria-expanded") || current !== node) open(li);
        else toggle(li);
        select(node, li);
      }
    });
    return li;
  };
  const group = (li) => li.querySelector(":scope > [role=group]");
  const open = (li) => {
    if (li.getAttribute("aria-expanded") !== "false") return;
    li.setAttribute("aria-expanded", "true");
    if (group(li)) group(li).hidden = false;
    else {
      const list = make("ul");
      list.setAttribute("role", "group");
      fill(list, data.children[nodeOf.get(li)], item);
      li.append(list);
    }
  };
  const close = (li) => {
    if (li.getAttribute("aria-expanded") !== "true") return;
    li.setAttribute("aria-expanded", "false");
    group(li).hidden = true;
  };
  const toggle = (li) => (li.getAttribute("aria-expanded") === "true" ? close(li) : open(li));

  let focusable = null;
  const focusItem = (li, focus = true) => {
    if (focusable) focusable.tabIndex = -1;
    focusable = li;
    li.tabIndex = 0;
    if (focus) li.focus({preventScroll: false});
  };
  const visible = () =>
    [...tree.querySelectorAll("[role=treeitem]")].filter((li) => !li.parentElement.closest("[hidden]"));
  tree.addEventListener("keydown", (event) => {
    const li = event.target.closest("[role=treeitem]");
    if (!li || event.target !== li || event.altKey || event.ctrlKey || event.metaKey) return;
    const items = visible();
    const place = items.indexOf(li);
    const go = (to) => to && focusItem(to);
    const expanded = li.getAttribute("aria-expanded");
    const keys = {
      ArrowDown: () => go(items[place + 1]),
      ArrowUp: () => go(items[place - 1]),
      Home: () => go(items[0]),
      End: () => go(items[items.length - 1]),
      ArrowRight: () => (expanded === "false" ? open(li) : expanded === "true" && go(items[place + 1])),
      ArrowLeft: () => (expanded === "true" ? close(li) : go(li.parentElement.closest("[role=treeitem]"))),
      Enter: () => select(nodeOf.get(li), li),
      " ": () => select(nodeOf.get(li), li),
    };
    if (keys[event.key]) {
      keys[event.key]();
      event.preventDefault();
    }
  });

  // Opens the tree down to a node.
  const reveal = (node) => {
    let list = tree;
    let li = null;
    for (const step of path(node)) {
      li = rowOf(list, step);
      if (step !== node) {
        open(li);
        list = group(li);
      }
    }
    return li;
  };

  // A map of the hierarchy: below each node what is in it, as wide as it has images. A node of several parents
  // is drawn below the first alone.
  const LEVELS = 6;
  const map = $("map");
  const drawMap = (root) => {
    const cells = [];
    let deepest = 0;
    const place = (node, left, width, level) => {
      cells.push([node, left, width, level]);
      deepest = Math.max(deepest, level);
      if (level + 1 >= LEVELS) return;
      const below = data.children[node].filter((child) => parents[child][0] === node && total[child]);
      const scale = width / Math.max(total[node], below.reduce((sum, child) => sum + total[child], 0), 1);
      let at = left;
      for (const child of below.sort((a, b) => total[b] - total[a])) {
        if (total[child] * scale > 0.12) place(child, at, total[child] * scale, level + 1);
        at += total[child] * scale;
      }
    };
    place(root, 0, 100, 0);
    map.replaceChildren();
    const wide = map.clientWidth;
    map.style.setProperty("--depth", deepest + 1);
    for (const [node, left, width, level] of cells) {
      const thin = width * wide < 4400;  // 44 pixels
      const cell = make("button", `l${Math.max(1, LEVELS - level)}${thin ? " thin" : ""}`, thin ? "" : title(node));
      cell.style.left = `${left}%`;
      cell.style.width = `${width}%`;
      cell.style.top = `${level * 30}px`;
      cell.title = `${title(node)}: ${plural(total[node], "image", "images")}`;
      cell.setAttribute("aria-label", cell.title);
      cell.tabIndex = thin ? -1 : 0;
      nodeOf.set(cell, node);
      cell.addEventListener("click", () => select(node));
      map.append(cell);
    }
  };
  // Zooms so that the node has room for what is below it; a leaf is shown in its parent.
  let mapped = null;
  const zoom = (node) => {
    if (map.hidden) return;
    const way = path(node);
    const inside = data.children[node].length ? node : way[way.length - 2] ?? node;
    const root = inside === start ? top : inside;
    if (root !== mapped) drawMap((mapped = root));
    for (const cell of map.children) cell.setAttribute("aria-current", nodeOf.get(cell) === node);
  };

  // The chosen class.
  let current = null;
  let marked = null;
  const select = (node, li = null, record = true) => {
    current = node;
    li = li || reveal(node);
    if (marked) marked.setAttribute("aria-selected", "false");
    marked = li;
    if (li) {
      li.setAttribute("aria-selected", "true");
      focusItem(li, false);
      const box = tree.parentElement;
      const at = li.firstElementChild.getBoundingClientRect();
      const frame = box.getBoundingClientRect();
      if (at.top < frame.top || at.bottom > frame.bottom) box.scrollTop += at.top - frame.top - frame.height / 3;
    }
    for (const button of $("results").querySelectorAll("button")) {
      button.setAttribute("aria-current", nodeOf.get(button) === node);
    }
    draw(node);
    zoom(node);
    if (record) history.replaceState(null, "", `#${encodeURIComponent(data.names[node])}`);
  };

  // Pictures of the classes below a node, taken from each in turn.
  const samplesBelow = (node) => {
    const seen = new Set([node]);
    const queue = [node];
    const lists = [];
    for (let i = 0; i < queue.length; ++i) {
      if (data.samples[queue[i]].length) lists.push(data.samples[queue[i]]);
      for (const child of data.children[queue[i]]) {
        if (!seen.has(child)) seen.add(child), queue.push(child);
      }
    }
    // Evenly over the classes, so that a large subtree shows more than its first corner.
    const step = Math.max(1, Math.floor(lists.length / SAMPLES));
    const spread = step > 1 ? lists.filter((_, i) => i % step === 0) : lists;
    const found = [];
    for (let round = 0; found.length < SAMPLES; ++round) {
      const taken = spread.filter((list) => round < list.length).map((list) => list[round]);
      if (!taken.length) break;
      found.push(...taken);
    }
    return found.slice(0, SAMPLES);
  };

  const link = (node) => {
    const anchor = make("a", "", title(node));
    anchor.href = `#${encodeURIComponent(data.names[node])}`;
    anchor.addEventListener("click", (event) => {
      event.preventDefault();
      select(node);
    });
    return anchor;
  };

  const draw = (node) => {
    const detail = $("detail");
    detail.replaceChildren();
    detail.classList.toggle("leaf", !data.children[node].length);
    const trails = make("div", "trails");
    for (const parent of parents[node]) {
      const line = make("p");
      path(parent).forEach((step, i) => line.append(i ? " \u203a " : "", link(step)));
      trails.append(line);
    }
    detail.append(trails, make("h3", "", title(node)));
    if (data.words[node].length > 1) detail.append(make("p", "synonyms", data.words[node].slice(1).join(", ")));
    if (data.glosses[node]) detail.append(make("p", "gloss", data.glosses[node]));
    const counts = make("div", "counts");
    const add = (text, number) => {
      const part = make("span");
      part.append(make("b", "", number), ` ${text}`);
      counts.append(part);
    };
    counts.append(make("span", "mono", data.names[node]));
    if (data.labels[node] >= 0) add("label", count(data.labels[node]));
    if (data.children[node].length) add(data.classes[node] === 1 ? "class" : "classes", count(data.classes[node]));
    data.images[node].forEach((n, i) =>
      add(data.splits.length > 1 ? `in ${data.splits[i]}` : n === 1 ? "image" : "images", count(n)));
    detail.append(counts);
    if (data.children[node].length) {
      const below = make("ul", "below");
      for (const child of data.children[node].slice(0, 40)) {
        const chip = make("button", "", title(child));
        chip.addEventListener("click", () => select(child));
        const li = make("li");
        li.append(chip);
        below.append(li);
      }
      if (data.children[node].length > 40) below.append(make("li", "soft", `${count(data.children[node].length - 40)} more`));
      detail.append(below);
    }
    const ids = samplesBelow(node);
    if (!ids.length) {
      detail.append(make("p", "none", total[node] ? "No sample of this class is on the page." : "No images here."));
      return;
    }
    const grid = make("div", "grid");
    for (const id of ids) grid.append($(id).content.cloneNode(true));
    detail.append(grid);
  };

  // Search: whole synonyms first, then those that begin so, then words that do, then the rest.
  const synonyms = data.words.map((words) => words.map((word) => word.toLowerCase()));
  const names = data.names.map((name) => name.toLowerCase());
  const rank = (node, query) => {
    if (names[node] === query || synonyms[node].includes(query)) return 0;
    if (synonyms[node].some((word) => word.startsWith(query))) return 1;
    if (synonyms[node].some((word) => word.includes(` ${query}`))) return 2;
    if (names[node].includes(query) || synonyms[node].some((word) => word.includes(query))) return 3;
    return 4;
  };
  const marking = (text, query) => {
    const line = make("span", "word");
    const at = text.toLowerCase().indexOf(query);
    if (at < 0) line.append(text);
    else line.append(text.slice(0, at), make("mark", "", text.slice(at, at + query.length)), text.slice(at + query.length));
    return line;
  };
  const search = () => {
    const query = $("search").value.trim().toLowerCase();
    const results = $("results");
    results.replaceChildren();
    results.hidden = !query;
    tree.hidden = Boolean(query);
    $("status").textContent = "";
    if (!query) return;
    const found = data.names
      .map((_, node) => [rank(node, query), -total[node], node])
      .filter(([worth]) => worth < 4)
      .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    $("status").textContent =
      found.length > FOUND ? `${count(found.length)} match; the first ${FOUND}` : plural(found.length, "match", "matches");
    for (const [, , node] of found.slice(0, FOUND)) {
      const button = make("button");
      nodeOf.set(button, node);
      const shown = synonyms[node].findIndex((word) => word.includes(query));
      const text = shown > 0 ? `${title(node)}, ${data.words[node][shown]}` : title(node);
      button.append(marking(text, query), make("span", "number", count(total[node])));
      const above = path(node).slice(-4, -1).map(title).join(" \u203a ");
      button.append(make("span", "trail", [data.names[node], above].filter(Boolean).join(" \u00b7 ")));
      button.setAttribute("aria-current", node === current);
      button.addEventListener("click", () => select(node));
      const li = make("li");
      li.append(button);
      results.append(li);
    }
  };
  let waiting = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 60);
  });
  $("search").addEventListener("keydown", (event) => {
    const first = $("results").querySelector("button");
    if (event.key === "Enter" && first) first.click();
    if (event.key === "ArrowDown" && first) first.focus(), event.preventDefault();
    if (event.key === "Escape") $("search").value = "", search();
  });
  $("results").addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!step) return;
    const buttons = [...$("results").querySelectorAll("button")];
    const next = buttons[buttons.indexOf(event.target) + step];
    (next || $("search")).focus();
    event.preventDefault();
  });

  // Start: open down to where the images part.
  fill(tree, data.roots, item);
  const largest = (nodes) => nodes.reduce((best, node) => (total[node] > total[best] ? node : best), nodes[0]);
  const start = largest(data.roots);
  let top = start;
  for (let next = top; data.children[next].length && total[next] >= 0.8 * total[start]; ) {
    top = next;
    next = largest(data.children[next]);
  }
  open(reveal(top));
  map.hidden = !data.children[start].length || !total[start];
  const asked = () => byName.get(decodeURIComponent(location.hash.slice(1)));
  select(asked() ?? start, null, false);
  window.addEventListener("hashchange", () => asked() !== undefined && select(asked()));
})();
