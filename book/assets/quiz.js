/* Quizzes: say at once whether an answer is right, with the reason that the list of answers gives. */
document.addEventListener("change", function (event) {
  "use strict";
  const question = event.target.closest(".quiz");
  if (!question) return;
  const right = event.target.value === question.dataset.right;
  for (const label of question.querySelectorAll("label")) {
    const chosen = label.contains(event.target);
    label.classList.toggle("right", chosen && right);
    label.classList.toggle("wrong", chosen && !right);
  }
  const quizzes = [...document.querySelectorAll(".quiz")];
  const reason = document.querySelectorAll(".quiz-answers > ol > li")[quizzes.indexOf(question)];
  const said = question.querySelector(".quiz-said");
  said.textContent = right ? "" : "Not this one. Try again, or unfold the answers below.";
  if (right) said.append("Right. ", ...[...reason.cloneNode(true).childNodes].filter(
    node => node.nodeType === Node.ELEMENT_NODE || node.nodeValue.trim()));
});
