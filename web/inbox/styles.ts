/** How it looks. A page changes it by the variables, by `::part(…)`, and by `theme="light"` or `theme="dark"`. */

export const STYLES = `
:host {
  --_font: var(--belfry-font, inherit);
  --_accent: var(--belfry-accent, light-dark(#a84f04, #f0a35a));
  --_on-accent: var(--belfry-on-accent, light-dark(#fff, #241503));
  --_card: var(--belfry-background, light-dark(#fff, #1f1d1b));
  --_ink: var(--belfry-text, light-dark(#1d1c1a, #edeae4));
  --_quiet: var(--belfry-quiet, light-dark(#66625b, #a8a39a));
  --_line: var(--belfry-line, light-dark(#e6e3dc, #35322e));
  --_hover: var(--belfry-hover, light-dark(#f5f3ef, #2a2724));
  --_fresh: var(--belfry-unread, light-dark(#fdf6ec, #2a231b));
  --_badge: var(--belfry-badge, light-dark(#c9271b, #e5483b));
  --_bad: light-dark(#a8281e, #ff9d92);
  --_bad-card: light-dark(#fdeeec, #3a1f1c);
  --_warn: light-dark(#8a5a00, #e5b25d);
  --_good: light-dark(#1f7a43, #5fc98a);
  --_radius: var(--belfry-radius, 14px);
  --_shadow: 0 1px 2px rgb(0 0 0 / 8%), 0 12px 36px rgb(0 0 0 / 18%);
  color-scheme: light dark;
  display: inline-block;
  font-family: var(--_font);
  line-height: 1.4;
  color: var(--_ink);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([inline]) { display: block; }
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
h2, p { margin: 0; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: start; }
button:disabled { cursor: default; opacity: .4; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round;
  stroke-linejoin: round; display: block; flex: none; }
.icon-more { stroke-width: 3; }

.bell { position: relative; display: grid; place-items: center; width: 40px; height: 40px; border-radius: 50%;
  font-size: 18px; }
.bell:hover, .bell[aria-expanded="true"] { background: var(--_hover); }
.badge { position: absolute; inset-block-start: 2px; inset-inline-end: 0; min-width: 18px; height: 18px; padding: 0 5px;
  border-radius: 9px; background: var(--_badge); color: #fff; font: 700 11px/18px system-ui, sans-serif;
  text-align: center; box-shadow: 0 0 0 2px var(--_card); font-variant-numeric: tabular-nums; }
.badge.wrong { background: var(--_warn); color: light-dark(#fff, #241503); }
.bell.rung .icon { animation: ring .6s ease-in-out; transform-origin: 50% 10%; }
@keyframes ring { 20% { rotate: 14deg; } 45% { rotate: -11deg; } 70% { rotate: 6deg; } }

.panel { display: flex; flex-direction: column; background: var(--_card); color: var(--_ink); font-size: 15px;
  min-height: 0; overflow: hidden; outline: none; }
:host([inline]) .panel { height: 100%; border-radius: inherit; }
.panel[popover] { position: fixed; inset: auto; margin: 0; padding: 0; width: min(400px, calc(100vw - 16px)); max-height: 600px;
  border: 1px solid var(--_line); border-radius: var(--_radius); box-shadow: var(--_shadow); }
.panel[popover]:not(:popover-open) { display: none; }
.panel[popover]:popover-open { animation: open .14s ease-out; }
@keyframes open { from { opacity: 0; translate: 0 -6px; } }
.head { display: flex; align-items: center; gap: 6px; padding-block: 12px 6px; padding-inline: 16px 10px; }
.heading { font-size: 17px; font-weight: 700; letter-spacing: -.01em; }
.count { margin-inline-end: auto; padding: 1px 8px; border-radius: 9px; font-size: 12px; font-weight: 600;
  background: var(--_fresh); color: var(--_accent); }
.count:empty { background: none; }
.quiet { display: grid; place-items: center; width: 32px; height: 32px; border-radius: 8px; color: var(--_quiet); flex: none; }
.quiet:hover:not(:disabled), .quiet[aria-expanded="true"] { background: var(--_hover); color: var(--_ink); }
.tabs { display: flex; gap: 4px; padding: 0 12px; border-bottom: 1px solid var(--_line); }
.tabs button { padding: 7px 8px 9px; font-size: 14px; color: var(--_quiet); border-bottom: 2px solid transparent;
  margin-bottom: -1px; }
.tabs button:hover { color: var(--_ink); }
.tabs [aria-selected="true"] { color: var(--_ink); font-weight: 600; border-color: var(--_accent); }
.tabs :focus-visible { outline-offset: -2px; border-radius: 6px; }
.notice { display: flex; gap: 10px; align-items: center; margin: 10px 12px; padding: 10px 12px; border-radius: 10px;
  background: var(--_bad-card); color: var(--_bad); font-size: 13.5px; overflow-wrap: anywhere; }
.notice p { flex: 1; min-width: 0; }
.plain { flex: none; padding: 5px 10px; border: 1px solid currentColor; border-radius: 8px; font-weight: 600; font-size: 13px; }
.scroller { position: relative; flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; overflow-anchor: none;
  scrollbar-width: thin; }
.feed { outline: none; }
.foot { display: flex; align-items: center; justify-content: space-between; gap: 8px; padding: 7px 16px; min-height: 32px;
  border-top: 1px solid var(--_line); font-size: 12.5px; color: var(--_quiet); }
.status::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-inline-end: 7px; border-radius: 50%;
  background: var(--_quiet); }
.status[data-status="online"]::before { background: var(--_good); }
.status:is([data-status="syncing"], [data-status="polling"])::before { background: var(--_warn); }
.status:is([data-status="offline"], [data-status="refused"])::before { background: var(--_bad); }

.row { position: relative; display: flex; gap: 12px; padding-block: 12px; padding-inline: 16px 8px; border-bottom: 1px solid var(--_line);
  cursor: pointer; overflow: hidden; }
.row:hover { background: var(--_hover); }
.row.unread { background: var(--_fresh); }
.row.unread:hover { background: color-mix(in srgb, var(--_fresh), var(--_hover)); }
.row:focus-visible { outline-offset: -3px; border-radius: 8px; }
.row[data-severity="high"]::before, .row[data-severity="medium"]::before { content: ""; position: absolute;
  inset-block: 0; inset-inline-start: 0; width: 4px; background: var(--_warn); }
.row[data-severity="high"]::before { background: var(--_badge); }
.face { position: relative; display: grid; place-items: center; width: 40px; height: 40px; border-radius: 50%; flex: none;
  font-weight: 700; font-size: 16px; background: var(--_hue-card); color: var(--_hue); }
.face .kind { position: absolute; inset-block-end: -3px; inset-inline-end: -4px; display: grid; place-items: center; width: 20px;
  height: 20px; border-radius: 50%; background: var(--_hue); color: var(--_card); font-size: 10px;
  box-shadow: 0 0 0 2px var(--_card); }
.face .kind .icon { stroke-width: 2.4; }
.hue-0 { --_hue: light-dark(#8a4b08, #f2b06d); --_hue-card: light-dark(#fbe6cf, #4a2f14); }
.hue-1 { --_hue: light-dark(#1f5fa8, #8fc1f7); --_hue-card: light-dark(#dcebfb, #17344f); }
.hue-2 { --_hue: light-dark(#1d6b44, #7fd3a6); --_hue-card: light-dark(#d8f2e3, #143d29); }
.hue-3 { --_hue: light-dark(#7b3f9d, #d4a6ee); --_hue-card: light-dark(#f0e1f8, #3d2250); }
.hue-4 { --_hue: light-dark(#a3285a, #f5a1c3); --_hue-card: light-dark(#fbe0eb, #4c1a30); }
.hue-5 { --_hue: light-dark(#20646e, #86d0da); --_hue-card: light-dark(#d6f0f3, #123a40); }
.content { flex: 1; min-width: 0; }
.title, .body { display: -webkit-box; -webkit-box-orient: vertical; overflow: hidden; overflow-wrap: anywhere;
  unicode-bidi: isolate; text-align: -webkit-match-parent; text-align: match-parent; }
.row .title { -webkit-line-clamp: 3; font-weight: 500; }
.row.unread .title { font-weight: 650; }
.body { -webkit-line-clamp: 4; margin-top: 1px; color: var(--_quiet); white-space: pre-line; }
.title a { color: inherit; text-decoration: none; }
.row:hover .title a { text-decoration: underline; }
.meta { display: flex; flex-wrap: wrap; align-items: center; column-gap: 6px; margin-top: 3px; font-size: 12.5px; color: var(--_quiet); }
.actor { unicode-bidi: isolate; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.time::before { content: "·"; margin-inline-end: 6px; }
.severity { padding: 0 6px; border-radius: 6px; font-weight: 600; font-size: 11.5px; border: 1px solid currentColor; color: var(--_warn); }
.row[data-severity="high"] .severity { color: var(--_bad); }
.side { position: relative; flex: none; width: 32px; }
.side .quiet { position: absolute; inset-block-start: 21px; opacity: 0; }
.row:is(:hover, :focus-within) .side .quiet, .side .quiet[aria-expanded="true"] { opacity: 1; }
@media (hover: none) { .side .quiet { opacity: 1; } }
.dot { display: block; width: 10px; height: 10px; margin: 6px 11px 0; border-radius: 50%; background: var(--_accent); }

.empty { display: grid; justify-items: center; gap: 10px; padding: 44px 24px; color: var(--_quiet); text-align: center; }
.empty .icon { font-size: 30px; opacity: .55; }
.end { padding: 18px; text-align: center; font-size: 12.5px; color: var(--_quiet); }
.bone { display: grid; grid-template: auto auto / 40px 1fr; gap: 8px 12px; padding: 14px 16px; }
.bone i { grid-row: 1 / 3; width: 40px; height: 40px; border-radius: 50%; }
.bone b { height: 11px; border-radius: 6px; width: 75%; align-self: end; }
.bone b + b { width: 45%; align-self: start; }
.bone :is(i, b) { background: var(--_line); animation: wait 1.4s ease-in-out infinite; }
@keyframes wait { 50% { opacity: .45; } }

.menu[popover] { position: fixed; inset: auto; margin: 0; padding: 5px; min-width: 176px; background: var(--_card); color: var(--_ink);
  border: 1px solid var(--_line); border-radius: 11px; box-shadow: var(--_shadow); font-size: 14px; }
.menu button { display: block; width: 100%; padding: 8px 11px; border-radius: 7px; }
.menu button:is(:hover, :focus-visible) { background: var(--_hover); outline-offset: -2px; }
.menu .danger { color: var(--_bad); }
.menu [aria-checked]::before { content: "✓"; display: inline-block; width: 1.3em; visibility: hidden; }
.menu [aria-checked="true"]::before { visibility: visible; }

.toasts[popover] { position: fixed; inset: auto; inset-block-end: 16px; inset-inline-end: 16px; margin: 0; padding: 0; border: 0;
  background: none; overflow: visible; width: min(360px, calc(100vw - 32px)); color: var(--_ink); }
.toasts:popover-open { display: grid; gap: 8px; }
.toast { display: flex; align-items: start; gap: 4px; padding: 10px 8px 10px 12px; background: var(--_card); border: 1px solid var(--_line);
  border-radius: var(--_radius); box-shadow: var(--_shadow); animation: open .18s ease-out; font-size: 14px; }
.toast .say { display: flex; gap: 12px; flex: 1; min-width: 0; align-items: center; border-radius: 8px; }
.toast .title { -webkit-line-clamp: 2; font-weight: 600; }
.toast .body { -webkit-line-clamp: 2; }

@media (max-width: 480px) {
  .panel[popover] { inset: 0 !important; width: 100vw; max-width: none; height: 100dvh; max-height: none !important; border: 0;
    border-radius: 0; }
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; }
}
`;
