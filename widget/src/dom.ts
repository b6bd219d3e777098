//! Builds elements without markup strings, so that no text from outside is ever parsed as HTML.

type Attributes = Record<string, string | boolean | undefined>;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, '');
    else if (typeof value === 'string') made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Sets text only where it differs: a live region would be read out again otherwise. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Calls back once the page has loaded: at once if it has. */
export function whenLoaded(then: () => void): void {
  if (document.readyState === 'complete') then();
  else window.addEventListener('load', then, { once: true });
}

const SVG = 'http://www.w3.org/2000/svg';

/** Stroked on a 24 by 24 grid. */
const PATHS = {
  microphone: 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21M8.5 21h7',
  microphoneOff: 'M15 10V6a3 3 0 0 0-5.7-1.3M9 9v2a3 3 0 0 0 4.6 2.5M5.5 11a6.5 6.5 0 0 0 10.8 4.9M18.5 11a6.4 6.4 0 0 1-.5 2.5M12 17.5V21M8.5 21h7M4 3l16 18',
  camera: 'M4.5 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2ZM15.5 11l6-3.5v9l-6-3.5',
  cameraOff: 'M9.5 6.5h4a2 2 0 0 1 2 2v2.5l6-3.5v9l-3-1.7M15.5 15.5a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 1.5-1.9M4 3l16 18',
  screen: 'M4 4.5h16a1.5 1.5 0 0 1 1.5 1.5v9.5a1.5 1.5 0 0 1-1.5 1.5H4a1.5 1.5 0 0 1-1.5-1.5V6A1.5 1.5 0 0 1 4 4.5ZM8.5 20.5h7M12 14V8M9.3 10.5 12 7.8l2.7 2.7',
  chat: 'M5 4.5h14a2 2 0 0 1 2 2v8.5a2 2 0 0 1-2 2h-7L7.5 20.5V17H5a2 2 0 0 1-2-2V6.5a2 2 0 0 1 2-2ZM8 9.5h8M8 12.5h5',
  leave: 'M3.2 15.3c-1-2 .2-3.6 1.7-4.5a14.2 14.2 0 0 1 14.2 0c1.5.9 2.7 2.5 1.7 4.5-.4.7-1.1.9-1.9.7l-2.3-.6c-.6-.2-1-.7-1-1.3l-.1-1.7a11.5 11.5 0 0 0-7 0l-.1 1.7c0 .6-.4 1.1-1 1.3l-2.3.6c-.8.2-1.5 0-1.9-.7Z',
  send: 'M4 12 20.5 4.5 15.5 20l-3.7-6.2L4 12ZM11.8 13.8l8.7-9.3',
  close: 'M6 6l12 12M18 6 6 18',
} as const;
export type IconName = keyof typeof PATHS;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
