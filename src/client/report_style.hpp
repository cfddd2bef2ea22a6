// The style sheet of report.html: light and dark by the reader's preference, phone and desktop.
#pragma once

#include <string_view>

namespace ffe::client {

inline constexpr std::string_view kReportStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfbf9;--card:#fff;--ink:#1c2024;--dim:#667079;--line:#dfe3e6;--good:#0b7a53;--bad:#b3261e;--warn:#8a5a00;--accent:#3557c9}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e8eaec;--dim:#98a1a9;--line:#31373d;--good:#4cc38a;--bad:#ff8a80;--warn:#f0b849;--accent:#8aa4ff}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:2rem 1.1rem 4rem}h1{font-size:clamp(1.6rem,5vw,2.4rem);line-height:1.15;margin:.2em 0 .5em}
h2{font-size:1.3rem;margin:2.6rem 0 .6rem}h3{margin:0 0 .3rem}h4{margin:0 0 .4rem}.eyebrow,.dim{color:var(--dim)}.lead{font-size:1.1rem}
.banner{border:1px solid var(--warn);color:var(--warn);border-radius:8px;padding:.6rem .9rem}.good{color:var(--good)}.bad{color:var(--bad)}
.cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(260px,1fr))}.card,.sample{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.1rem}
.card.reject{border-color:var(--bad)}.card.exclude{border-color:var(--warn)}.sample{margin:.8rem 0}.tag{font-size:.8rem;font-weight:600;padding:.1rem .5rem;border-radius:99px;border:1px solid currentColor;vertical-align:2px}
.accept .tag{color:var(--good)}.reject .tag{color:var(--bad)}.exclude .tag{color:var(--warn)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem .9rem;margin:.6rem 0 0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:.8rem 0;table-layout:fixed}th,td{text-align:left;font-weight:400;padding:.4rem .5rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere;vertical-align:top}thead th{color:var(--dim)}tbody th{width:38%}
code{font:.85em ui-monospace,monospace}svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--dim);paint-order:stroke;stroke:var(--bg);stroke-width:5px}rect.accept{fill:var(--good)}rect.reject{fill:var(--bad)}rect.exclude{fill:var(--warn)}
circle.accept{fill:var(--good)}circle.reject{fill:var(--bad)}circle.exclude{fill:var(--warn)}circle{opacity:.75}.mean{stroke:var(--ink);stroke-width:2}
.dots{margin:1.2rem 0;display:grid;gap:.2rem 1.4rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr))}.dots h3{grid-column:1/-1;margin:0}.dots p{margin:0;font-size:.9rem}.dots svg{font-size:16px}
.bars{table-layout:auto}.bars th{width:1%;white-space:nowrap}.bars .number{width:1%;white-space:nowrap;overflow-wrap:normal;text-align:right;font-variant-numeric:tabular-nums}.meter{background:var(--line);border-radius:4px;height:.9rem;margin-top:.35rem}.meter span{display:block;height:100%;border-radius:4px;background:var(--good)}.meter .exclude{background:var(--dim)}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;overflow-x:auto;font:.9em ui-monospace,monospace}.checks{list-style:none;padding:0}.checks li{color:var(--ink);padding:.25rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}.checks .good b{color:var(--good)}.checks .bad b{color:var(--bad)}
a{color:var(--accent)}summary{cursor:pointer}@media(max-width:520px){tbody th{width:34%}svg{font-size:20px}.dots svg{font-size:19px}}
.limit{stroke:var(--ink);stroke-dasharray:4 3}.grid{stroke:var(--line)}.curve{fill:none;stroke:var(--accent);stroke-width:2}
)css";

}  // namespace ffe::client
