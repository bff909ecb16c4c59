// What every page does: forms that send themselves, choices kept in cookies, parts that are asked for again.

const YEAR_SECONDS = 31536000;

for (const select of document.querySelectorAll("select[data-cookie]")) {
  if (select.dataset.cookie === "zone") offerOwnZone(select);
  select.addEventListener("change", () => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${select.dataset.cookie}=${select.value}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
    location.reload();
  });
}

function offerOwnZone(select) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own && ![...select.options].some((option) => option.value === own)) select.add(new Option(own, own));
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

// A click elsewhere, and Escape, close a menu.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copies]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copies);
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, 1500);
});

// Parts say hx-trigger="load, refresh from:body". Nobody is asked while nobody looks, or while somebody draws.
const refresh = document.querySelector("select[data-refresh]");
if (refresh) {
  const kept = localStorage.getItem("refresh");
  if (kept !== null && [...refresh.options].some((option) => option.value === kept)) refresh.value = kept;
  let asked = Date.now();
  refresh.addEventListener("change", () => localStorage.setItem("refresh", refresh.value));
  setInterval(() => {
    const every = Number(refresh.value) * 1000;
    if (!every || document.hidden || document.querySelector("[data-brushing]") || Date.now() - asked < every) return;
    asked = Date.now();
    document.body.dispatchEvent(new CustomEvent("refresh"));
  }, 500);
}

// What was open stays open when a part comes again.
document.addEventListener("htmx:beforeSwap", (event) => {
  const open = [...event.detail.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  event.detail.target.addEventListener(
    "htmx:afterSettle",
    () => open.forEach((id) => document.getElementById(id)?.setAttribute("open", "")),
    { once: true },
  );
});
