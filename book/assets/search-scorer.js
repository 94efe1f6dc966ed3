/* Search: a page whose own title has the words that were asked for comes first, chapters before
   notebooks; then headings and statements with these words; then pages that only mention them, and for
   a name of the code, exact_rank or ModeTree, the library reference before others. */
var Scorer = {
  score: function (result) {
    const [docname, title, anchor, , score] = result;
    const query = new URLSearchParams(window.location.search).get("q") || "";
    const words = text => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
    const asked = words(query).filter(word => !["a", "an", "the", "of", "and"].includes(word));
    const named = words(title.split(" > ").pop());
    const code = docname === "book/api" && /_|[a-z][A-Z]/.test(query) ? 50 : 0;
    if (!asked.length || !asked.every(word => named.some(name => name.startsWith(word)))) return score + code;
    const own = anchor === "" || !title.includes(" > ");
    return score + 100 + (own ? 100 : 0) + (docname.startsWith("book/") ? 20 : 0)
      + Math.round(10 * asked.length / named.length);
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
