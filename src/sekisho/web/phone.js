// The bank's app on one device: the protocol of docs/how/app.md, with the keys that the browser keeps for this page.
// Keys cannot be read out, not even by this page. A passcode is kept nowhere, and neither is anything to try one against.

const ROUNDS = 100_000;
const PASSCODE = "passcode";
const SUITE = "OCRA-1:HOTP-SHA256-8:QH64";
const POLL_MS = 2_000;
const DEVICE_TRIES = 5; // of the made-up device's own sensors; the bank counts nothing of it
const DEVICE_WAITS_MS = 30_000;
const DEVICE = "sekisho-phone-sensors";
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };

const $ = id => document.getElementById(id);
const bytes = text => new TextEncoder().encode(text);
const pairs = text => Object.fromEntries(text.split(" ").filter(Boolean).map(one => one.split("=")));
const say = name => $("words").content.querySelector(`[data-word="${name}"]`).textContent;

// -- bytes -------------------------------------------------------------------------------------------------------------

function spell(raw) {
  const text = btoa(String.fromCharCode(...new Uint8Array(raw)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function read(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), sign => sign.charCodeAt(0));
}

// What is signed: each piece after its length in four bytes.
function message(purpose, asked, parts) {
  const names = Object.keys(parts).sort();
  const pieces = [bytes("sekisho app 1"), bytes(purpose), asked, ...names.flatMap(name => [bytes(name), bytes(parts[name])])];
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + 4 + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    new DataView(whole.buffer).setUint32(at, piece.length);
    whole.set(piece, at + 4);
    at += 4 + piece.length;
  }
  return whole;
}

// -- keys --------------------------------------------------------------------------------------------------------------

const newKey = () => crypto.subtle.generateKey(CURVE, false, ["sign"]);
const publicOf = async key => spell(await crypto.subtle.exportKey("spki", key.publicKey));
const sign = async (key, told) => spell(await crypto.subtle.sign(SIGNING, key.privateKey, told));

async function verifier(passcode, salt) {
  const key = await crypto.subtle.importKey("raw", bytes(passcode), "PBKDF2", false, ["deriveBits"]);
  return spell(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }, key, 256));
}

async function sensorKeys(items) {
  const made = {};
  for (const item of items) made[item] = await newKey();
  return made;
}

async function registration(passcode, salt, sensors) {
  const parts = { passcode: await verifier(passcode, salt) };
  for (const [item, key] of Object.entries(sensors)) parts[`key.${item}`] = await publicOf(key);
  return parts;
}

// The parts of an entry, with every text that was shown, signed for what the device was asked with.
async function answer(account, item, asked, parts, shown, key) {
  const told = { ...parts };
  for (const one of shown) told[`shown.${one.item}`] = one.text;
  return { ...told, signature: await sign(key, message(`${account.app} ${item}`, read(asked), told)) };
}

// -- transaction signatures (RFC 6287), for the customer to type ---------------------------------------------------------

// Keys that the bank has too: drawn here, told once, and from then on not to be read out.
async function sharedKeys(items) {
  const [keys, parts] = [{}, {}];
  for (const item of items) {
    const raw = crypto.getRandomValues(new Uint8Array(32));
    keys[item] = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    parts[`key.${item}`] = spell(raw);
  }
  return [keys, parts];
}

async function signature(account, item, asked, shown) {
  const told = Object.fromEntries(shown.map(one => [`shown.${one.item}`, one.text]));
  const question = await crypto.subtle.digest("SHA-256", message(`${account.app} ${item}`, read(asked), told));
  const input = new Uint8Array([...bytes(SUITE), 0, ...new Uint8Array(question), ...new Uint8Array(128 - 32)]);
  const mac = new DataView(await crypto.subtle.sign("HMAC", account.shared[item], input));
  const digits = (mac.getUint32(mac.getUint8(31) & 0x0f) & 0x7fffffff) % 10 ** 8;
  return String(digits).padStart(8, "0");
}

// -- what the device keeps ---------------------------------------------------------------------------------------------

const opened = new Promise((done, failed) => {
  const asked = indexedDB.open("sekisho-phone", 1);
  asked.onupgradeneeded = () => asked.result.createObjectStore("accounts", { keyPath: "app" });
  asked.onsuccess = () => done(asked.result);
  asked.onerror = () => failed(asked.error);
});

async function kept(mode, act) {
  const store = (await opened).transaction("accounts", mode).objectStore("accounts");
  return new Promise((done, failed) => {
    const asked = act(store);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

const accounts = () => kept("readonly", store => store.getAll());
const keep = account => kept("readwrite", store => store.put(account));
const forget = app => kept("readwrite", store => store.delete(app));

// -- the bank ----------------------------------------------------------------------------------------------------------

async function call(name, body) {
  try {
    const told = await fetch(`/phone/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    return await told.json();
  } catch {
    return { trouble: say("no-bank") };
  }
}

function tell(told) {
  const line = document.createElement("p");
  line.className = `message ${told.trouble ? "trouble" : told.outcome}`;
  line.textContent = told.trouble ?? told.message;
  $("told").replaceChildren(line);
}

// -- the made-up device's sensors --------------------------------------------------------------------------------------

// Each counts by itself and locks itself, whoever's app asks, and closing the app opens none. Some open after a while.
const locks = pairs($("phone").dataset.locks);
const device = () => JSON.parse(localStorage.getItem(DEVICE) ?? "{}");
const isOwner = () => $("owner").checked;

function isLocked(sensor) {
  const { failed = 0, at = 0 } = device()[sensor] ?? {};
  const isOver = locks[sensor] === "waits" && Date.now() >= at + DEVICE_WAITS_MS;
  return failed >= DEVICE_TRIES && !isOver;
}

function touched(sensor) {
  if (isLocked(sensor)) return;
  const { failed = 0 } = device()[sensor] ?? {};
  const again = isOwner() ? 0 : failed % DEVICE_TRIES + 1;
  localStorage.setItem(DEVICE, JSON.stringify({ ...device(), [sensor]: { failed: again, at: Date.now() } }));
  showLocks();
}

function showLocks() {
  const locked = Object.keys(locks).filter(isLocked);
  $("locked").hidden = locked.length === 0;
  $("locked").querySelector(".which").textContent = locked.map(itemName).join(" · ");
}

$("unlock").addEventListener("click", () => {
  localStorage.removeItem(DEVICE);
  showLocks();
  $("owner").checked = true;
  tell({ outcome: "right", message: say("unlocked") });
});

// -- entries -----------------------------------------------------------------------------------------------------------

// One request of the bank's is answered at a time; what is looked up meanwhile would be another's.
let busy = false;

async function alone(act) {
  if (busy) return;
  busy = true;
  document.body.toggleAttribute("aria-busy", true);
  try {
    await act();
  } catch {
    tell({ trouble: say("no-bank") });
  } finally {
    busy = false;
  }
  await look(true);
  document.body.removeAttribute("aria-busy");
}

// Ask the bank what to sign, sign it, send it; note what has been erased.
async function enter(account, run, item, made) {
  const common = { ticket: account.ticket, walk: run.walk, item: item.item };
  let proof = made;
  if (typeof made === "function") {
    const asked = await call("sign", common);
    if (!asked.sign) return noted(account, item, asked);
    proof = await made(asked.sign);
  }
  return noted(account, item, await call("enter", { ...common, proof }));
}

async function noted(account, item, told) {
  tell(told);
  const erased = told.code === "wrong-register-again" || told.code === "register-again";
  if (erased && item.kind === "pin") await forget(account.app);
  else if (erased) await keep({ ...account, gone: isOwn(account, item) ? [...new Set([...account.gone, item.item])] : everything(account) });
  return told;
}

const isOwn = (account, item) => item.item in account.sensors || item.item in account.shared;
const everything = account => [PASSCODE, ...Object.keys(account.sensors), ...Object.keys(account.shared)];

const byPasscode = (account, run, item, passcode) =>
  enter(account, run, item, async asked => answer(account, item.item, asked, { passcode: await verifier(passcode, account.salt) }, run.shown, account.key));

function bySensor(account, run, item) {
  const isOfApp = item.kind === "biometric"; // the app looks by itself, and the device locks nothing
  if (!isOfApp) touched(item.item);
  if (!isOfApp && isLocked(item.item)) return enter(account, run, item, report(account, run, item, "locked"));
  if (isOwner()) return enter(account, run, item, asked => answer(account, item.item, asked, {}, run.shown, account.sensors[item.item]));
  if (isOfApp) return enter(account, run, item, report(account, run, item, "no-match"));
  return tell({ outcome: "wrong", message: say("not-recognised") }); // the device's own affair
}

const report = (account, run, item, said) => asked => answer(account, item.item, asked, { report: said }, run.shown, account.key);

async function show(account, run, item) {
  const asked = await call("sign", { ticket: account.ticket, walk: run.walk, item: item.item });
  if (!asked.sign) return noted(account, item, asked);
  const digits = await signature(account, item.item, asked.sign, run.shown);
  return tell({ outcome: "right", message: `${say("signature")} ${digits.slice(0, 4)} ${digits.slice(4)}` });
}

async function registerAgain(account, run, item, passcode) {
  const sensors = await sensorKeys(Object.keys(account.sensors));
  const [shared, toldOnce] = await sharedKeys(Object.keys(account.shared));
  const parts = { ...(await registration(passcode, account.salt, sensors)), ...toldOnce };
  const told = await enter(account, run, item, asked => answer(account, item.item, asked, parts, [], account.key));
  if (told.outcome === "right") await keep({ ...account, sensors, shared, gone: [] });
}

// One key alone, in the place of one that was erased.
async function registerKey(account, run, item) {
  const isShared = item.renews in account.shared;
  const [shared, toldOnce] = await sharedKeys(isShared ? [item.renews] : []);
  const sensors = await sensorKeys(isShared ? [] : [item.renews]);
  for (const [sensor, key] of Object.entries(sensors)) toldOnce[`key.${sensor}`] = await publicOf(key);
  const told = await enter(account, run, item, asked => answer(account, item.item, asked, toldOnce, [], account.key));
  if (told.outcome !== "right") return;
  const gone = account.gone.filter(one => one !== item.renews);
  await keep({ ...account, sensors: { ...account.sensors, ...sensors }, shared: { ...account.shared, ...shared }, gone });
}

const setCode = (account, run, item, code) =>
  enter(account, run, item, asked => answer(account, item.item, asked, { [item.renews]: code }, [], account.key));

async function add(form) {
  const code = form.get("code").toUpperCase().replace(/[^0-9A-Z]/g, "");
  const [key, salt] = [await newKey(), crypto.getRandomValues(new Uint8Array(32))];
  const sensors = await sensorKeys(form.getAll("sensor"));
  const [shared, toldOnce] = await sharedKeys($("phone").dataset.shared.split(" ").filter(Boolean));
  const parts = { device: await publicOf(key), ...(await registration(form.get("passcode"), salt, sensors)), ...toldOnce };
  for (const field of document.querySelectorAll("[data-code]")) if (field.value) parts[field.dataset.code] = field.value;
  parts.signature = await sign(key, message("enrol", bytes(code), parts));
  const told = await call("accounts", { code, name: form.get("name"), parts });
  if (told.trouble) return tell(told);
  await keep({ app: told.app, ticket: told.ticket, number: told.number, name: form.get("name"), key, salt, sensors, shared, gone: [] });
  $("add").reset();
  return tell({ outcome: "right", message: say("added") });
}

// -- what is shown -----------------------------------------------------------------------------------------------------

const itemName = item => say(`item.${item}`);
const registers = pairs($("phone").dataset.registers);
const erasedText = account => account.gone.includes(PASSCODE) ? say("erased") : `${say("erased-only")} ${account.gone.map(itemName).join(" · ")}`;

const copy = name => $(name).content.firstElementChild.cloneNode(true);
const FIGURES = { "new-passcode": "[0-9]{6}", "new-code": "[0-9]{4}" };
let fields = 0;

function typed(item, act) {
  const form = copy("typed");
  const [label, input] = [form.querySelector("label"), form.querySelector("input")];
  [input.id, label.htmlFor, label.textContent] = [`entry-${++fields}`, `entry-${fields}`, item.label];
  input.type = item.kind === "code" ? "text" : "password";
  if (item.kind in FIGURES) [input.pattern, input.inputMode] = [FIGURES[item.kind], "numeric"];
  form.querySelector("button").textContent = item.kind === "passcode" ? say("approve") : say("go-on");
  form.addEventListener("submit", event => {
    event.preventDefault();
    const value = input.value.trim();
    input.value = "";
    alone(() => act(value));
  });
  return form;
}

function button(text, act) {
  const one = copy("button");
  one.querySelector("button").textContent = text;
  one.querySelector("button").addEventListener("click", () => alone(act));
  return one;
}

function ways(account, run, item) {
  const common = { ticket: account.ticket, walk: run.walk, item: item.item };
  if (item.kind === "passcode") return account.gone.includes(PASSCODE) ? [] : [typed(item, value => byPasscode(account, run, item, value))];
  if (item.kind === "new-passcode") return [typed(item, value => registerAgain(account, run, item, value))];
  if (item.kind === "new-code") return [typed(item, value => setCode(account, run, item, value))];
  if (item.kind === "new-key") return [button(`${say("register-now")} ${item.label}`, () => registerKey(account, run, item))];
  if (item.item in account.sensors) return account.gone.includes(item.item) ? [] : [button(item.label, () => bySensor(account, run, item))];
  if (item.item in account.shared) return account.gone.includes(item.item) ? [] : [button(say("show"), () => show(account, run, item))];
  if (item.kind.endsWith("biometric") || item.kind === "ocra") return [];
  const entry = typed(item, value => enter(account, run, item, value));
  if (item.kind !== "code") return [entry];
  const sends = run.addresses.map(to => button(`${say("send")} ${to.address}`, async () => {
    const told = await call("send", { ...common, address: to.id });
    if (told.trouble || told.message) tell(told);
    else tell({ outcome: "right", message: say("sent") });
  }));
  return run.sent ? [...sends, entry] : sends;
}

function request(account, run) {
  const found = copy("request");
  found.querySelector("h3").textContent = run.operation;
  found.querySelector(".who").textContent = `${say("for")} ${account.number}`;
  for (const one of run.shown) {
    const line = document.createElement("div");
    line.append(document.createElement("dt"), document.createElement("dd"));
    line.firstChild.textContent = one.label;
    line.lastChild.textContent = one.text.replaceAll("\u001f", "\n"); // signed as it is; only shown line by line
    found.querySelector("dl").append(line);
  }
  found.querySelector(".compare").hidden = run.shown.length === 0;
  found.querySelector("dl").hidden = run.shown.length === 0;
  found.querySelector(".ways").append(...run.next.flatMap(item => ways(account, run, item)));
  found.querySelector(".erased").textContent = erasedText(account);
  found.querySelector(".erased").hidden = !run.next.some(item => account.gone.includes(item.kind === "passcode" ? PASSCODE : item.item));
  return found;
}

function listed(account, isRemoved) {
  const found = copy("account");
  found.querySelector("h3").textContent = `${account.name} · ${account.number}`;
  found.querySelector(".erased").textContent = isRemoved ? say("removed-there") : erasedText(account);
  found.querySelector(".erased").hidden = !isRemoved && account.gone.length === 0;
  const registering = (text, item) => button(text, async () => {
    const told = await call("register", { ticket: account.ticket, operation: registers[item] });
    if (told.trouble) tell(told);
  });
  const whole = account.gone.includes(PASSCODE); // its registration brings everything back
  const again = (whole ? [PASSCODE] : account.gone).filter(one => one in registers);
  for (const item of isRemoved ? [] : again) {
    found.append(registering(whole ? say("register") : `${say("register")}: ${itemName(item)}`, item));
  }
  const sets = isRemoved ? [] : $("words").content.querySelectorAll("[data-sets]");
  for (const one of sets) found.append(registering(one.textContent, one.dataset.sets));
  found.append(button(say("remove"), async () => {
    await forget(account.app);
    tell({ outcome: "right", message: say("removed") });
  }));
  return found;
}

let before = "";

// What waits is asked for again and again; the page changes only where that did, so that nobody loses what he types.
async function look(again) {
  showLocks();
  const mine = await accounts();
  const told = mine.length ? await call("requests", { tickets: mine.map(one => one.ticket) }) : { requests: {}, removed: [] };
  if (!told.requests || (busy && !again)) return;
  const now = JSON.stringify([told, mine.map(one => [one.app, one.gone])]);
  if (now === before) return;
  before = now;
  const waiting = mine.flatMap(account => (told.requests[account.app] ?? []).map(run => request(account, run)));
  $("requests").replaceChildren(...waiting);
  $("nothing").hidden = waiting.length > 0;
  $("accounts").replaceChildren(...mine.map(account => listed(account, told.removed.includes(account.app))));
  $("no-accounts").hidden = mine.length > 0;
}

$("add").addEventListener("submit", event => {
  event.preventDefault();
  alone(() => add(new FormData(event.target)));
});

window.addEventListener("focus", () => { if (!busy) look(false); });
setInterval(() => { if (!document.hidden && !busy) look(false); }, POLL_MS);
look(true);
