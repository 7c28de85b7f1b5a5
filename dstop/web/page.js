// The address of the websocket is that of this page, whatever proxy or name it was reached by.
const url = new URL("/ws", window.location.href);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
document.getElementById("terminal").dataset.sessionWebsocketUrl = url.href;
document.getElementById("again").addEventListener("click", () => window.location.reload());

// Keys go to the screen without a click first. The terminal is made when the page has loaded.
const focus = () => document.querySelector(".xterm-helper-textarea")?.focus();
window.addEventListener("load", () => setTimeout(focus, 0));
window.addEventListener("focus", focus);
