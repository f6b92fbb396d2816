// The heartbeat of the page /runaway, and its buttons. Runs in a browser.

const PAUSE_MS = 15;
const KEPT = 240;

const element = (id) => document.getElementById(id);
const trace = element("trace");
const took = [];
let beats = 0;
let largest = 0;
/** The largest gap since the running trials began, one each. */
const watching = new Set();

function show(ms) {
  element("beats").textContent = String(beats);
  element("last").textContent = `${ms.toFixed(0)} ms`;
  element("gap").textContent = `${largest.toFixed(0)} ms`;
  const pulse = element("pulse");
  pulse.classList.toggle("on");
}

function draw() {
  const { devicePixelRatio: ratio } = window;
  const { clientWidth: width, clientHeight: height } = trace;
  trace.width = width * ratio;
  trace.height = height * ratio;
  const context = trace.getContext("2d");
  const style = getComputedStyle(trace);
  context.scale(ratio, ratio);
  const step = width / KEPT;
  const most = Math.max(60, ...took.map(({ ms }) => ms));
  for (const [index, { ms, loose }] of took.entries()) {
    const high = Math.max(2, (ms / most) * (height - 2));
    // The style sheet gives both, since a canvas knows no light-dark().
    context.fillStyle = loose ? style.outlineColor : style.color;
    context.fillRect((KEPT - took.length + index) * step, height - high, Math.max(1, step - 0.5), high);
  }
}

async function beat() {
  for (;;) {
    const from = performance.now();
    try {
      await fetch("/heartbeat", { cache: "no-store" });
    } catch {
      element("last").textContent = "no answer";
      element("pulse").classList.add("lost");
      return;
    }
    const ms = performance.now() - from;
    beats++;
    // The first requests of a page open a connection.
    if (beats > 5) largest = Math.max(largest, ms);
    for (const each of watching) each.largest = Math.max(each.largest, ms);
    took.push({ ms, loose: watching.size > 0 });
    if (took.length > KEPT) took.shift();
    show(ms);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function account({ title, story, kept, alarming, facts }, largestGap) {
  const section = document.createElement("section");
  section.className = `account ${kept && !alarming ? "kept" : "broken"}`;
  const heading = document.createElement("h3");
  heading.textContent = title;
  const text = document.createElement("p");
  text.textContent = story;
  const list = document.createElement("dl");
  const rows = [...facts, { name: "largest gap in this browser", value: `${largestGap.toFixed(0)} ms` }];
  for (const { name, value } of rows) {
    const term = document.createElement("dt");
    term.textContent = name;
    const detail = document.createElement("dd");
    detail.textContent = value;
    list.append(term, detail);
  }
  section.append(heading, text, list);
  return section;
}

async function letLoose(form) {
  const button = form.querySelector("button");
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  const watch = { largest: 0 };
  watching.add(watch);
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { accept: "application/json" } });
    const told = await answer.json();
    // One more beat, so that the gap is known that it was answered behind.
    await new Promise((resolve) => setTimeout(resolve, 4 * PAUSE_MS));
    element("accounts").prepend(account(told, watch.largest));
  } catch (error) {
    const broken = { title: "No account came back", story: String(error), kept: false, facts: [] };
    element("accounts").prepend(account(broken, watch.largest));
  } finally {
    watching.delete(watch);
    button.removeAttribute("aria-busy");
  }
}

element("trials").addEventListener("submit", (event) => {
  event.preventDefault();
  void letLoose(event.target);
});

(function frame() {
  draw();
  requestAnimationFrame(frame);
})();
void beat();
