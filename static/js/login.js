// What a page does when this server does not know its reader any more.
const SENT = "sent-to-login";
let leaves = false;

// Whether the login has ended. The page is then loaded anew, which leads to the login; once, so
// that a page which is let in while its requests are not does not load for ever: it says so.
export function hasEnded(answer, say) {
  if (answer?.status !== 401) return false;
  if (!leaves && sessionStorage.getItem(SENT)) say?.("You are logged out. Load the page again to log in.");
  else if (!leaves) {
    leaves = true;
    sessionStorage.setItem(SENT, "yes");
    location.reload();
  }
  return true;
}

// Somebody who is let in may be sent again one day.
export function isLetIn() {
  sessionStorage.removeItem(SENT);
}
