/** The page "OSS transfers": a component of Airflow's UI, made with the UI's own React. */
const { createElement: h } = globalThis.React;

export default function TransfersPage() {
  return h("main", null, "OSS transfers");
}
