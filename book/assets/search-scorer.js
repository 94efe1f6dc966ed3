/* Search: a page whose own title has the words that were asked for comes first, chapters before
   notebooks; then headings and statements with these words; then pages that only mention them. */
var Scorer = {
  score: function (result) {
    const [docname, title, anchor, , score] = result;
    const words = text => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
    const asked = words(new URLSearchParams(window.location.search).get("q") || "")
      .filter(word => !["a", "an", "the", "of", "and"].includes(word));
    const named = words(title.split(" > ").pop());
    if (!asked.length || !asked.every(word => named.some(name => name.startsWith(word)))) return score;
    const own = anchor === "" || !title.includes(" > ");
    return score + 100 + (own ? 100 : 0) + (docname.startsWith("book/") ? 20 : 0)
      + Math.round(10 * asked.length / named.length);
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
