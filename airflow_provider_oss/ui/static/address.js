/* What the page shows is in its address, so that it can be linked, reloaded and gone back to. */

import { h, useSyncExternalStore } from "./react.js";

const CHANGED = "oss-transfers-address";

/** The query of the page's address, as URLSearchParams; the component is drawn again when it changes. */
export function useQuery() {
  return new URLSearchParams(useSyncExternalStore(subscribe, () => window.location.search));
}

function subscribe(changed) {
  const sources = [
    [window, "popstate"],
    [window, CHANGED],
  ];
  // The UI's own link to this page changes the address without an event of the window's
  if (window.navigation) sources.push([window.navigation, "currententrychange"]);
  sources.forEach(([target, name]) => target.addEventListener(name, changed));
  return () => sources.forEach(([target, name]) => target.removeEventListener(name, changed));
}

/** The address of this page with a query: an object whose empty values are left out. */
export function pageAddress(query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(given).toString();
  return window.location.pathname + (text && `?${text}`);
}

/** Show another view of this page. */
export function visit(query) {
  window.history.pushState(null, "", pageAddress(query));
  window.dispatchEvent(new Event(CHANGED));
}

/** The query under which a transfer is shown; without a map index, all instances of its task. */
export function queryOf({ dag_id, run_id, task_id, map_index }) {
  return { dag_id, run_id, task_id, map_index };
}

/** A link to another view of this page: it loads nothing anew, and a new tab can be opened on it. */
export function PageLink({ query, children, ...others }) {
  const follow = (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    visit(query);
  };
  return h("a", { ...others, href: pageAddress(query), onClick: follow }, children);
}

/** A link out of this page, relative to the UI's base. An address that is not HTTP is no link. */
export function OutLink({ to, children, ...others }) {
  const address = outAddress(to);
  return address && h("a", { ...others, href: address }, children);
}

function outAddress(to) {
  if (!to) return null;
  try {
    const url = new URL(to, document.baseURI);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
