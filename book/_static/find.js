/* Puts the paper's item first among the results of a search that names it by number: 18, (18), eq. 18, theorem 3. */
"use strict";

const query = new URLSearchParams(location.search).get("q") ?? "";
const [, word, number] = query.toLowerCase().match(/^\s*(?:([a-z]{2,}?)s?\.?)?\s*\(?(\d+)\)?\s*$/) ?? [];
// An item's key is, for example, thm:3, and its name Theorem 3.
const item = Object.entries(window.adaiItems).find(([key, { name }]) => key.endsWith(`:${number}`) &&
  (key.startsWith(word || "eq") || (word && name.toLowerCase().startsWith(word))))?.[1];
if (item) {
  const line = Object.assign(document.createElement("p"), { className: "adai-found" });
  line.append(Object.assign(document.createElement("a"), { href: item.url, textContent: item.name }), `, ${item.where}`);
  document.getElementById("search-results").before(line);
}
