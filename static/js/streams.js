// The event stream of a page. A tab in the background gives it back after a while, as a browser
// has only six connections to a server for all its tabs.
const HIDDEN_AFTER = 5000;

// `rest` is called once the page was hidden for a while, `wake` when it is seen again after that.
export function whileSeen({ rest, wake }) {
  let timer = 0;
  let isResting = false;

  function follow() {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => { isResting = true; rest(); }, HIDDEN_AFTER);
    } else if (isResting) {
      isResting = false;
      wake();
    }
  }

  document.addEventListener("visibilitychange", follow);
  if (document.hidden) follow();
}
