/* The UI's own React, which it gives to plugins as a global: nothing is bundled here. */

const { Component, createElement, useEffect, useRef, useState, useSyncExternalStore } = globalThis.React;

export { Component, useEffect, useRef, useState, useSyncExternalStore };
export const h = createElement;

/** Joins the names that are not empty into a class attribute. */
export const classes = (...names) => names.filter(Boolean).join(" ");
