// The page lists every heading without this script; with it one types what one looks for. Japanese is found by any run of signs.
"use strict";

const form = document.querySelector("form[role=search]");
const asked = document.getElementById("q");
const told = document.getElementById("told");
const found = document.getElementById("found");
const all = document.getElementById("all");
const MOST = 30;

const plain = (text) => text.normalize("NFKC").toLowerCase();
const known = places.map(([address, title, page, text]) => ({ address, title, page, text, in_title: plain(`${title} ${page}`), in_text: plain(text) }));

// A word in the heading counts for more than one below it; every word must be there.
const weight = (place, words) => words.reduce(
  (sum, word) => (place.in_title.includes(word) ? sum + 5 : place.in_text.includes(word) ? sum + 1 : -Infinity), 0);

const line = (place) => {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = place.address;
  link.textContent = place.title === place.page ? place.title : `${place.page}: ${place.title}`;
  const words = document.createElement("span");
  words.className = "quiet";
  words.textContent = place.text.slice(0, 160);
  item.append(link, document.createElement("br"), words);
  return item;
};

const look = () => {
  const words = plain(asked.value).split(/\s+/).filter(Boolean);
  const ranked = known.map((place) => [weight(place, words), place]).filter(([sum]) => sum > 0).sort((one, other) => other[0] - one[0]).slice(0, MOST);
  all.hidden = words.length > 0;
  found.replaceChildren(...ranked.map(([, place]) => line(place)));
  told.textContent = words.length && !ranked.length ? told.dataset.nothing : "";
};

form.hidden = false;
form.addEventListener("submit", (event) => { event.preventDefault(); look(); });
asked.addEventListener("input", look);
asked.value = new URLSearchParams(location.search).get("q") ?? "";
look();
