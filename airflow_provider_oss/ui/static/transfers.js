/*
 * The page "OSS transfers" in Airflow's UI: what the plugin's bundle imports, with the page as its default export.
 */

import { PageLink, useQuery } from "./address.js";
import { Forgotten } from "./forgotten.js";
import { List } from "./list.js";
import { Component, h } from "./react.js";
import { Transfer } from "./transfer.js";

const VIEWS = [
  ["Transfers", ""],
  ["Forgotten uploads", "forgotten"],
];

/** The whole page; which view it shows, its address says. */
export default function Page() {
  const query = useQuery();
  const view = query.get("view") ?? "";
  const chosen = view === "forgotten" ? Forgotten : query.get("task_id") ? Transfer : List;
  return h(
    "div",
    { className: "ot-page" },
    h("h1", null, "OSS transfers"),
    h(
      "nav",
      { className: "ot-tabs", "aria-label": "Views" },
      VIEWS.map(([name, of]) =>
        h(PageLink, { key: of, query: { view: of }, "aria-current": of === view ? "page" : undefined }, name),
      ),
    ),
    h(Guard, { key: query.toString() }, h(chosen, { query })),
  );
}

/** Says what went wrong where a view could not be drawn, instead of leaving the page blank. */
class Guard extends Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    return error
      ? h("p", { role: "alert", className: "ot-note ot-error" }, `This could not be shown: ${error.message}`)
      : this.props.children;
  }
}

function addStylesheet() {
  const href = new URL("transfers.css", import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
}

addStylesheet();
