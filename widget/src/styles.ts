//! The look: calm, high contrast, laid out by the size of the element, not of the page.

export const STYLES = `
:host {
  --ink: #10262b; --ink-soft: #4d6368; --paper: #ffffff; --mist: #eef4f4; --line: #d5e1e2;
  --accent: #0b6b72; --accent-deep: #084f55; --accent-soft: #d9eeee; --alarm: #b3261e; --warm: #fff5e0; --warm-line: #ecd29a;
  --stage: #0e2227; --tile: #1b353b; --radius: 14px;
  display: block; min-height: 320px; height: 100%; container: room / size; color: var(--ink); background: var(--paper);
  font: 400 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, p, ol { margin: 0; padding: 0; }
.room { display: flex; flex-direction: column; height: 100%; overflow: hidden; background: var(--paper); border-radius: inherit; }
.top { display: flex; align-items: center; gap: 12px; justify-content: space-between; padding: 10px 16px; border-bottom: 1px solid var(--line); }
.title { font-weight: 600; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
.status { display: flex; align-items: center; gap: 8px; flex: none; font-size: 13px; color: var(--ink-soft); padding: 4px 12px 4px 10px; border-radius: 99px; background: var(--mist); }
.status::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: #d9a02b; }
.room[data-up] .status::before { background: #1f9d6b; }
.room[data-phase="idle"] .status::before, .room[data-phase="ended"] .status::before { background: #9aabae; }
.room[data-phase="reconnecting"] .status { background: var(--warm); color: #6b4a00; }

.middle { flex: 1; min-height: 0; display: flex; }
.main { flex: 1; min-width: 0; display: flex; flex-direction: column; }
.notices:not(:empty), .lobby { display: grid; gap: 1px; background: var(--warm-line); border-bottom: 1px solid var(--warm-line); }
.lobby { background: #b6dcdc; border-color: #b6dcdc; }
.notice { display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 8px 16px; background: var(--warm); font-size: 14px; }
.lobby .notice { background: var(--accent-soft); }

.stage { position: relative; flex: 1; min-height: 0; padding: 12px; background: radial-gradient(120% 90% at 50% 0, #17363c 0, var(--stage) 70%); }
.tiles { height: 100%; display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr)); grid-auto-rows: minmax(0, 1fr); }
.tiles[data-count="2"] { grid-template-columns: 1fr 1fr; }
.tiles[data-count="3"], .tiles[data-count="4"] { grid-template-columns: 1fr 1fr; }
.tiles[data-screen] { grid-template-columns: minmax(0, 3fr) minmax(150px, 1fr); grid-auto-rows: minmax(90px, 1fr); }
.tiles[data-screen] .tile.screen { grid-column: 1; grid-row: 1 / span 4; }
.tiles[data-screen] .tile:not(.screen) { grid-column: 2; }
.tile { container: tile / inline-size; position: relative; min-width: 0; min-height: 0; overflow: hidden; border-radius: var(--radius); background: var(--tile); color: #fff; box-shadow: 0 0 0 1px #ffffff14; }
.picture { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }
.screen .picture { object-fit: contain; background: #081518; }
.source { position: absolute; width: 2px; height: 2px; opacity: 0; pointer-events: none; }
.placeholder { position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 4px; padding: 12px; text-align: center; }
.initials { flex: none; display: grid; place-items: center; width: 76px; height: 76px; margin-bottom: 8px; border-radius: 50%; background: linear-gradient(150deg, #2f7f86, #1d5a62); font-size: 28px; font-weight: 600; letter-spacing: .02em; color: #fff; }
.screen .initials { border-radius: 18px; }
.placeholder-name { font-weight: 600; font-size: 16px; }
.note { font-size: 13px; color: #b9cdd0; }
.label { position: absolute; left: 10px; bottom: 10px; max-width: calc(100% - 20px); display: flex; gap: 8px; align-items: baseline; padding: 4px 10px; border-radius: 9px; background: #0a1a1ecc; font-size: 14px; }
.name { font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.role { color: #b9d3d6; font-size: 12.5px; white-space: nowrap; }
.silent { position: absolute; right: 10px; top: 10px; display: grid; place-items: center; width: 30px; height: 30px; border-radius: 50%; background: #0a1a1ecc; color: #ffc9c4; }
.acts { position: absolute; left: 10px; top: 10px; right: 50px; display: flex; flex-wrap: wrap; gap: 6px; color: var(--ink); }
.acts > .small { opacity: .75; font-size: 12.5px; padding: 3px 10px; }
.acts > .small:hover, .acts > .small:focus-visible { opacity: 1; }
@media (hover: hover) { .tile:not(:hover, :focus-within) > .acts > .small { opacity: 0; pointer-events: none; } }
.question { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; padding: 8px 12px; border-radius: 9px; background: var(--warm); font-size: 13px; }
.alarm { background: var(--alarm); color: #fff; }
.silent .icon { width: 17px; height: 17px; }

.self { position: absolute; right: 22px; bottom: 22px; width: clamp(112px, 19cqw, 208px); aspect-ratio: 16 / 10; display: grid; place-items: center; overflow: hidden; border-radius: 12px; background: #25454c; color: #fff; box-shadow: 0 0 0 2px #ffffff2e, 0 8px 28px #0008; }
.self video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }
.mirror { transform: scaleX(-1); }
.self .initials { width: 48px; height: 48px; font-size: 18px; margin: 0; }
.self .label { left: 6px; bottom: 6px; padding: 1px 8px; font-size: 12px; }
.self .silent { right: 6px; top: 6px; width: 24px; height: 24px; }
.tiles[data-screen] ~ .self { right: 12px; bottom: 12px; width: max(150px, calc((100% - 36px) / 4)); }
.card { position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 8px; padding: 24px 24px 12%; text-align: center; color: #fff; background: radial-gradient(120% 90% at 50% 0, #17363c 0, var(--stage) 70%); }
.card h2 { font-size: 22px; font-weight: 600; letter-spacing: -.01em; }
.card p { max-width: 46ch; text-wrap: balance; color: #c3d5d8; }
.pulse { width: 46px; height: 46px; margin-bottom: 14px; border-radius: 50%; border: 3px solid #ffffff2b; border-top-color: #7fd0d0; animation: turn 1.2s linear infinite; }
@keyframes turn { to { transform: rotate(360deg); } }

.controls { display: flex; justify-content: center; gap: 8px; padding: 10px; border-top: 1px solid var(--line); background: var(--paper); }
button { font: inherit; color: inherit; cursor: pointer; border: 0; background: none; }
.control { display: flex; flex-direction: column; align-items: center; gap: 3px; min-width: 78px; padding: 8px 10px 6px; border-radius: 12px; font-size: 12.5px; color: var(--ink); background: var(--mist); transition: background .15s; position: relative; }
.control:hover { background: #dfeaea; }
.control[aria-pressed="true"] { background: var(--accent-soft); color: var(--accent-deep); }
.control.off { background: #fbe4e2; color: var(--alarm); }
.control.leave { background: var(--alarm); color: #fff; }
.control.leave:hover { background: #931d16; }
.control.unread::after { content: ""; position: absolute; top: 7px; right: 24px; width: 9px; height: 9px; border-radius: 50%; background: var(--accent); box-shadow: 0 0 0 2px var(--mist); }
.icon { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
.small { flex: none; padding: 5px 14px; border-radius: 9px; background: var(--paper); border: 1px solid #0002; font-size: 14px; font-weight: 600; }
.primary { background: var(--accent); color: #fff; border-color: transparent; }
.primary:hover { background: var(--accent-deep); }
.bare { padding: 4px; border-radius: 8px; display: grid; }
:focus-visible { outline: 3px solid #2b9aa3; outline-offset: 2px; }

.chat { width: min(320px, 80cqw); display: flex; flex-direction: column; border-left: 1px solid var(--line); background: var(--paper); }
.chat header { display: flex; justify-content: space-between; align-items: center; padding: 10px 10px 6px 16px; }
.chat h2 { font-size: 16px; }
.chat .note, .chat .problem { padding: 0 16px; color: var(--ink-soft); }
.chat .problem { color: var(--alarm); font-size: 13px; }
.chat .log { flex: 1; min-height: 0; overflow-y: auto; }
.chat ol { list-style: none; display: flex; flex-direction: column; gap: 10px; padding: 8px 16px 12px; }
.chat li { align-self: flex-start; max-width: 92%; }
.chat li.mine { align-self: flex-end; text-align: right; }
.who { display: block; font-size: 12px; color: var(--ink-soft); margin-bottom: 2px; }
.text { display: inline-block; text-align: left; padding: 7px 12px; border-radius: 12px; background: var(--mist); overflow-wrap: anywhere; white-space: pre-wrap; }
.mine .text { background: var(--accent-soft); }
.chat form { display: flex; gap: 8px; padding: 12px; border-top: 1px solid var(--line); }
.chat input { flex: 1; min-width: 0; padding: 9px 12px; border: 1px solid #b9cccd; border-radius: 10px; font: inherit; color: inherit; background: var(--paper); }
.square { display: grid; place-items: center; width: 42px; border-radius: 10px; }

@container room (max-width: 620px) {
  .control { min-width: 0; flex: 1; max-width: 84px; padding: 8px 4px 6px; }
  .top { padding: 8px 12px; }
  .stage { padding: 8px; }
  .tiles { gap: 8px; }
  .tiles[data-count="2"] { grid-template-columns: 1fr; }
  .tiles[data-screen] { grid-template-columns: 1fr 1fr; grid-auto-rows: auto; grid-template-rows: minmax(0, 2fr); }
  .tiles[data-screen] .tile.screen { grid-column: 1 / -1; grid-row: 1; }
  .tiles[data-screen] .tile:not(.screen) { grid-column: auto; min-height: 90px; }
  .self { right: 14px; bottom: 14px; }
  .tiles[data-screen] ~ .self { right: 14px; top: 14px; bottom: auto; width: 112px; }
  .chat { position: absolute; inset: 0 0 auto auto; width: 100%; height: calc(100% - 76px); z-index: 2; border-left: 0; }
  .status { font-size: 12px; }
}
@container tile (max-width: 220px) {
  .role { display: none; }
  .label { left: 6px; bottom: 6px; padding: 2px 8px; font-size: 13px; }
  .initials { width: 44px; height: 44px; margin-bottom: 2px; font-size: 17px; }
  .placeholder-name { font-size: 14px; line-height: 1.25; }
  .placeholder .note { display: none; }
}
@container room (max-height: 420px) {
  .control-text { display: none; }
  .initials { width: 48px; height: 48px; font-size: 18px; }
}
@media (prefers-reduced-motion: reduce) { *, *::before { animation-duration: 4s !important; transition: none !important; } }
@media (forced-colors: active) { .control, .status, .label { border: 1px solid; } }
`;
