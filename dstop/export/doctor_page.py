"""The style and the script of the incident report: everything that makes it a page, and nothing of any incident."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1c1f24;--soft:#5b6472;--line:#dcdfe4;--ground:#fbfbf9;--card:#fff;--accent:#24588f;
--bad:#a4262c;--warn:#8a5a00;--good:#1f6f3a;--a:#2f6fb0;--b:#5f93c6;--c:#8fb3d4;--n:#7c5cb8;--o:#5d6775;--u:#b0558f;--f:#e4e6ea}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ec;--soft:#98a2b3;--line:#2d333d;--ground:#12151b;--card:#181c24;
--accent:#82b1e0;--bad:#f08a8a;--warn:#e0b050;--good:#7fc98a;--a:#6aa0d8;--b:#4a78ae;--c:#3d5c7f;--n:#b49ade;--o:#8a94a4;
--u:#d88ac0;--f:#2a303a}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 ui-serif,Georgia,"Times New Roman",serif}
main{max-width:52rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
header{border-bottom:1px solid var(--line);padding-bottom:1rem;margin-bottom:1.5rem}
h1{font-size:1.75rem;line-height:1.25;margin:.2rem 0 .5rem;text-wrap:balance}
h2{font-size:1.05rem;margin:2rem 0 .6rem;letter-spacing:.01em}
p{margin:.4rem 0}
.meta,.place,.cost,figcaption,th,td.name{color:var(--soft)}
.meta,.badge,.place,code,pre,table,figcaption,summary,button{font-family:ui-sans-serif,system-ui,sans-serif}
.meta{font-size:.9rem}
.badge{display:inline-block;font-size:.75rem;font-weight:600;letter-spacing:.06em;text-transform:uppercase;
border:1px solid currentColor;border-radius:3px;padding:.05rem .45rem}
.certain{color:var(--bad)}.likely{color:var(--warn)}.possible{color:var(--soft)}
ol,ul{padding-left:1.3rem}
li{margin:.55rem 0}
.evidence{list-style:none;padding:0}
.evidence li{border-left:2px solid var(--line);padding-left:.8rem}
.place{display:block;font-size:.8rem;overflow-wrap:anywhere}
.says{overflow-wrap:anywhere}
.against{color:var(--warn)}
.enough{color:var(--good)}
pre{background:var(--card);border:1px solid var(--line);border-radius:4px;padding:.6rem .75rem;margin:.4rem 0;
font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere}
pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.command{position:relative;padding-right:4.5rem}
.cost{display:block;font-size:.9rem}
figcaption{font-size:.88rem;margin-top:.4rem}
button{position:absolute;top:.35rem;right:.35rem;font-size:.75rem;color:var(--accent);background:var(--card);
border:1px solid var(--line);border-radius:3px;padding:.15rem .5rem;cursor:pointer}
button:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
figure{margin:1rem 0}
svg{display:block;width:100%;height:2.4rem}
.legend{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:.2rem 1rem;margin:.6rem 0 0;
padding:0;list-style:none;font:.88rem ui-sans-serif,system-ui,sans-serif}
.legend li{margin:0;display:flex;gap:.5rem;align-items:baseline}
.legend b{font-variant-numeric:tabular-nums;min-width:5.5rem;text-align:right}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;flex:none;position:relative;top:.1rem}
table{border-collapse:collapse;font-size:.88rem}
td{padding:.15rem 1.2rem .15rem 0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
details{border-top:1px solid var(--line);padding:.7rem 0}
summary{cursor:pointer;font-weight:600}
.page{white-space:pre-wrap;font-size:.95rem}
.k-a{background:var(--a);fill:var(--a)}.k-b{background:var(--b);fill:var(--b)}.k-c{background:var(--c);fill:var(--c)}
.k-n{background:var(--n);fill:var(--n)}.k-o{background:var(--o);fill:var(--o)}.k-u{background:var(--u);fill:var(--u)}
.k-f{background:var(--f);fill:var(--f)}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.8rem}
@media print{button{display:none}details{break-inside:avoid}main{padding:0}}
"""

SCRIPT = """
for(const pre of document.querySelectorAll(".command")){
  if(!navigator.clipboard)break;
  const button=document.createElement("button");
  button.type="button";button.textContent="Copy";
  button.addEventListener("click",async()=>{
    await navigator.clipboard.writeText(pre.querySelector("code").textContent);
    button.textContent="Copied";setTimeout(()=>{button.textContent="Copy"},1500)});
  pre.append(button)
}
"""
