// What a page does when its login has ended.
const RELOADED = "sent-to-login";
let isLeaving = false;

// Whether the login has ended. The page is then reloaded, which leads to the login; once, so
// that a page that is let in while its requests are not does not reload for ever.
export function loginHasEnded(answer, show) {
  if (answer?.status !== 401) return false;
  if (!isLeaving && sessionStorage.getItem(RELOADED)) show?.("You are logged out. Load the page again to log in.");
  else if (!isLeaving) {
    isLeaving = true;
    sessionStorage.setItem(RELOADED, "yes");
    location.reload();
  }
  return true;
}

// A request was let in: the next ended login reloads the page again.
export function forgetReload() {
  sessionStorage.removeItem(RELOADED);
}
