/* Puts the paper's item first among the results of a search that names it by number: 18, (18), eq. 18, theorem 3. */
"use strict";

const KINDS = { "": "eq", equation: "eq", eqs: "eq", theorem: "thm", proposition: "prop", lemma: "lem", assumption: "asm",
  algorithm: "alg", table: "tab", figure: "fig" };
const query = new URLSearchParams(location.search).get("q") ?? "";
const [, word, number] = query.toLowerCase().match(/^\s*([a-z]*)\.?\s*\(?(\d+)\)?\s*$/) ?? [];
const item = window.adaiItems[`${KINDS[word] ?? word}:${number}`];
if (item) {
  const line = Object.assign(document.createElement("p"), { className: "adai-found" });
  line.append(Object.assign(document.createElement("a"), { href: item.url, textContent: item.name }), `, ${item.where}`);
  document.getElementById("search-results").before(line);
}
