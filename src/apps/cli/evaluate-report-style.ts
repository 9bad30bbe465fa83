/** How the report looks: on a phone, on a desk, in the dark and on paper. */

/** Colours of series that people with any kind of colour vision tell apart (Okabe and Ito). */
const SERIES = ['#0072b2', '#d55e00', '#009e73', '#a3457d', '#8a6d00', '#4b5bc4'];
const SERIES_DARK = ['#56b4e9', '#ff8f4d', '#2fc79b', '#e39cc6', '#e6c229', '#a7b3ff'];
/** And by their dashes, in print. */
const DASHES = ['none', '7 3', '2 3', '9 3 2 3', '4 2', '1 2'];

function seriesRules(): string {
  const vary = (_: string, index: number): string =>
    `.s${index}{--c:var(--s${index})}.series.s${index}{stroke-dasharray:${DASHES[index]}}`;
  return SERIES.map(vary).join('');
}

function variables(colours: readonly string[]): string {
  return colours.map((colour, index) => `--s${index}:${colour}`).join(';');
}

export const REPORT_STYLE: string = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--paper:#fff;--card:#f5f7f9;--edge:#d5dbe1;
--good:#1a7f4b;--bad:#b3261e;${variables(SERIES)}}
@media (prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#a2acb6;--paper:#14181c;--card:#1d2329;
--edge:#38424c;--good:#4cc38a;--bad:#ff7b72;${variables(SERIES_DARK)}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:62rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.15rem;margin:2.2rem 0 .4rem;padding-top:.8rem;border-top:1px solid var(--edge)}
h3{font-size:1rem;margin:0 0 .3rem}
p{margin:.4rem 0;max-width:46rem}
ul{margin:.3rem 0;padding-left:1.2rem}
li{margin:.25rem 0}
.soft{color:var(--soft)}
.verdict{border:2px solid var(--c);border-left-width:.6rem;border-radius:.4rem;padding:.6rem .9rem;margin:1rem 0}
.verdict strong{color:var(--c);font-size:1.2rem}
.passed{--c:var(--good)}.failed{--c:var(--bad)}
.cards{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr))}
.card{background:var(--card);border:1px solid var(--edge);border-radius:.4rem;padding:.7rem .9rem}
.pictures{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));align-items:start}
figure{margin:.6rem 0;max-width:30rem}
figcaption{font-weight:600;margin-bottom:.3rem}
svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto;margin:.6rem 0;min-width:0}
table{border-collapse:collapse;font-size:.9rem;overflow-wrap:normal}
th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--edge);text-align:right;vertical-align:top;
font-variant-numeric:tabular-nums;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:9rem;overflow-wrap:anywhere}
thead th{white-space:normal;vertical-align:bottom;overflow-wrap:normal}
tbody th{font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem .8rem;font-size:.9rem}
dt{color:var(--soft)}dd{margin:0}
code{font-size:.85em}
text{fill:var(--ink);font-size:12px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
.value{font-weight:600}.tick{fill:var(--soft);font-size:11px}
.usual{--c:var(--soft)}
.grid{stroke:var(--edge);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.chance{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 4}
.limit{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 3}
.series{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.area{fill:var(--c);fill-opacity:.18}
.dot{fill:var(--c);stroke:var(--paper);stroke-width:2}
.fill{fill:var(--c)}.track{fill:var(--edge);fill-opacity:.45}
.whisker{stroke:var(--ink);stroke-width:1.5}
.interval{stroke-width:2.5;fill:none}
.good{fill:var(--good);stroke:var(--good)}.bad{fill:var(--bad);stroke:var(--bad)}
.fair{fill:var(--soft);stroke:var(--soft)}
rect.good,rect.bad{stroke:none}
.good-key{--c:var(--good)}.bad-key{--c:var(--bad)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:.15em;background:var(--c);margin-right:.35em}
${seriesRules()}
@media print{body{max-width:none}.card,figure,table{break-inside:avoid}}
`;
