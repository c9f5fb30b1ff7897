"use strict";
(() => {
  const period = 1000; // between an answer and the next request
  const limit = 4000; // without an answer for this long, what is shown is old
  const points = 60; // of a sparkline, one for each answer
  const live = document.getElementById("live");
  const stale = document.getElementById("stale");
  const state = document.getElementById("state");
  const button = document.getElementById("pause");
  const plots = new Map(); // the last values of each sparkline
  let answered = Date.now(); // when the last answer came
  let paused = false;
  let timer = 0;
  let asking = null; // the request in progress

  document.body.classList.add("scripted");
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    document.body.classList.toggle("paused", paused);
    show();
    schedule(0);
  });
  document.addEventListener("visibilitychange", () => {
    show();
    schedule(0);
  });
  setInterval(show, 500);
  show();
  schedule(period);

  function schedule(delay) {
    clearTimeout(timer);
    if (!paused && !document.hidden && !asking) timer = setTimeout(ask, delay);
  }

  async function ask() {
    const began = Date.now();
    asking = new AbortController();
    const over = setTimeout(() => asking.abort(), limit);
    try {
      const answer = await fetch("live", { cache: "no-store", signal: asking.signal });
      if (!answer.ok) throw new Error("status " + answer.status);
      const build = answer.headers.get("Feedgate-Page");
      if (!build) throw new Error("not a gateway");
      if (build !== live.dataset.build) return location.reload(); // another version
      const page = new DOMParser().parseFromString("<main>" + (await answer.text()) + "</main>", "text/html");
      if (Date.now() - answered > 10 * period) plots.clear(); // a gap
      if (!paused) update(page.querySelector("main"));
      answered = Date.now();
    } catch {
      // show tells it, once it has lasted
    } finally {
      clearTimeout(over);
      asking = null;
    }
    show();
    schedule(Math.max(period, 4 * (Date.now() - began))); // a slow browser or server gets time for other things
  }

  function update(now) {
    patchChildren(live, now);
    const meta = document.getElementById("meta");
    document.title = meta.value || meta.getAttribute("value");
    const at = document.getElementById("at");
    at.dateTime = meta.dataset.time;
    at.textContent = new Date(meta.dataset.time).toLocaleTimeString();
    plot();
  }

  // show says whether what is shown is alive. The alarm's text does not change: it is read aloud.
  function show() {
    const silent = Date.now() - answered;
    const old = !paused && silent > limit;
    document.body.classList.toggle("stale", old);
    state.textContent = paused ? "paused at" : old ? "silent for " + Math.round(silent / 1000) + " s, last answer" : "live";
    if (old === !stale.hidden) return;
    stale.hidden = !old;
    stale.textContent = old ? "No answer: everything below is old. The gateway has ended or cannot be reached; still trying." : "";
    if (old) document.title = "✕ " + document.title;
  }

  // patch makes old like now and keeps the elements, and with them focus, selection and open details.
  function patch(old, now) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== now.data) old.data = now.data;
      return;
    }
    for (const { name, value } of now.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !now.hasAttribute(name)) old.removeAttribute(name);
    }
    if (!old.hasAttribute("data-keep")) patchChildren(old, now);
  }

  // patchChildren matches children by id, else with the next one of the same kind.
  function patchChildren(old, now) {
    const named = new Map();
    for (const child of old.children) if (child.id) named.set(child.id, child);
    let at = old.firstChild; // all before it is done
    for (const child of [...now.childNodes]) {
      let same = named.get(child.id);
      if (!child.id) for (same = at; same && (same.id || same.nodeName !== child.nodeName); ) same = same.nextSibling;
      if (!same) {
        old.insertBefore(child, at);
        continue;
      }
      if (!child.id) while (at !== same && !at.id) at = removed(at);
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      patch(same, child);
    }
    while (at) at = removed(at);
  }

  function removed(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  // plot adds the values shown to the sparklines and draws them.
  function plot() {
    const shown = new Set();
    for (const of of live.querySelectorAll("[data-plot]")) {
      const name = of.dataset.plot;
      shown.add(name);
      const values = plots.get(name) || [];
      if (of.dataset.value !== "") values.push(Number(of.dataset.value));
      plots.set(name, values.slice(-points));
    }
    for (const name of plots.keys()) if (!shown.has(name)) plots.delete(name);
    for (const place of live.querySelectorAll(".spark[data-of]")) draw(place, plots.get(place.dataset.of) || []);
  }

  function draw(place, values) {
    if (values.length < 2) {
      place.replaceChildren();
      return;
    }
    const top = Math.max(...values) || 1;
    const line = values.map((v, i) => (i ? "L" : "M") + (points - values.length + i) + " " + (29 - (28 * v) / top).toFixed(1)).join("");
    if (!place.firstChild) {
      const svg = make("svg", { viewBox: "0 0 " + (points - 1) + " 30", preserveAspectRatio: "none" });
      svg.append(make("path", { class: "area" }), make("path", {}));
      place.append(svg);
    }
    const [area, stroke] = place.firstChild.children;
    area.setAttribute("d", line + "L" + (points - 1) + " 30L" + (points - values.length) + " 30z");
    stroke.setAttribute("d", line);
  }

  function make(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }
})();
