//! The page's style sheet.

/// Everything but the pictures' own style.
pub(super) const STYLE: &str = "\
:root{--page:#f5f6f8;--card:#fff;--ink:#1b2430;--soft:#5d6878;--line:#e1e5eb;--good:#0f7a60;--good-bg:#e3f4ee;--bad:#b42333;--bad-bg:#fcebec;--accent:#2f6fde}\
@media (prefers-color-scheme: dark){:root{--page:#12161c;--card:#1a2029;--ink:#e8ecf2;--soft:#9aa5b5;--line:#2b333f;--good:#57cfae;--good-bg:#16302b;--bad:#ff8f98;--bad-bg:#3a1e23;--accent:#6ea3ff}}\
*{box-sizing:border-box}\
body{margin:0 auto;padding:36px 24px 56px;max-width:1120px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\
header{margin-bottom:20px}\
h1{font-size:27px;line-height:1.2;letter-spacing:-.01em;margin:2px 0 10px;overflow-wrap:anywhere}\
h2{font-size:18px;margin:40px 0 12px;letter-spacing:-.005em}\
h3{font-size:15px;margin:22px 0 8px}\
p{margin:0 0 12px;max-width:78ch}\
.eyebrow{color:var(--soft);font-size:13px;letter-spacing:.02em}\
dl.facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:0}\
dl.facts div{display:flex;gap:8px}\
dl.facts.rows{display:grid;gap:6px;margin-top:14px}\
dl.facts.rows dt{flex:0 0 15em}\
ul.remarks{margin:14px 0 0;padding-left:18px;max-width:78ch}\
.remedy{color:var(--soft)}\
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}\
.verdict{border-radius:10px;padding:12px 16px;margin:0 0 12px;display:flex;gap:12px;align-items:baseline}\
.verdict b{white-space:nowrap}.verdict ul{margin:0;padding-left:18px}\
.verdict.good{background:var(--good-bg)}.verdict.good b{color:var(--good)}\
.verdict.bad{background:var(--bad-bg)}.verdict.bad b{color:var(--bad)}\
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;margin:16px 0 0}\
.card,figure,.sheet{background:var(--card);border:1px solid var(--line);border-radius:12px}\
.card{padding:14px 16px}\
.card .name{color:var(--soft);font-size:13px}\
.card .value{font-size:25px;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums;line-height:1.25}\
.card .value small{font-size:14px;font-weight:500;letter-spacing:0;color:var(--soft);margin-left:4px}\
.card .more{color:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:14px}\
figure{margin:0;padding:16px 18px 10px}figure.wide{grid-column:1/-1}\
svg.plot{display:block;width:100%;height:auto;overflow:visible}\
.sheet{overflow-x:auto;padding:4px 0}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}\
th,td{padding:6px 14px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}\
tr:last-child td,tr:last-child th{border-bottom:0}\
thead th{color:var(--soft);font-weight:500;font-size:13px}\
th:first-child,td:first-child{text-align:left}\
tbody th{font-weight:500}\
td.text{text-align:left;white-space:normal;overflow-wrap:anywhere;font-variant-numeric:normal}\
td.none{color:var(--soft);opacity:.55}\
.unit{color:var(--soft);font-weight:400;font-size:13px}\
details{margin:12px 0}summary{cursor:pointer;color:var(--accent)}\
details>.sheet,details>pre{margin-top:10px}\
pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:0 0 12px}\
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\
footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}\
@media (max-width:720px){body{padding:24px 14px 40px}figure.wide{overflow-x:auto}figure.wide svg.plot{min-width:660px}}\
@media print{body{max-width:none;padding:0;background:#fff}figure,.card,.sheet,section{break-inside:avoid}}";
