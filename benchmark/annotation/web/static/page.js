// What every page has: keys, forms that are sent in place, the guidelines.
import { startKeys } from "./keys.js";
import { startGuidelines } from "./guidelines.js";
import { startSending } from "./send.js";

startKeys();
startSending();
startGuidelines();
(document.querySelector("[aria-invalid]") ?? document.querySelector("h1[tabindex]"))?.focus({ preventScroll: true });
