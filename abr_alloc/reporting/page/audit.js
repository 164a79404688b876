// The ladder that is shipped: what each rung gives, and what to do about it.

const streamText = (video, how) => `${size(video)} ${how === "interpolated" ? "~" : ""}${rate(video.bitrate_kbps)}`;
const soundText = (audio) => `${audio.codec}${audio.channels === 1 ? " mono" : ""} ${rate(audio.bitrate_kbps)}`;

function bestText(rung) {
  const { best_at_rate: best } = rung;
  return best.gain_mos < 0.02 ? "–" : `${size(best.video)} ${rate(best.video.bitrate_kbps)} + ${soundText(best.audio)} ${signed(best.gain_mos, 2)}`;
}

const spent = (cost) => cost.storage + cost.delivery;

function auditNotes(family) {
  return family.rungs.flatMap((rung, i) => {
    const said = [rung.dominated_by === null ? "" : `no better than rung ${rung.dominated_by}, which takes no more`, rung.note].filter(Boolean);
    return said.length ? [element("p", null, `Rung ${i + 1}: ${said.join("; ")}.`)] : [];
  });
}

function auditTable(family) {
  const priced = family.rungs.some((rung) => rung.cost !== null);
  const head = ["rung", "video", "audio", "kbps", "AVQ", "90 %", "VMAF", "audio share", "played", "next", "preferred", "without", ...(priced ? ["storage", "delivery"] : []),
    "audio is", "the same rate buys"];
  const text = ["video", "audio", "audio is", "the same rate buys"];
  const body = family.rungs.map((rung, i) => {
    const cells = [String(i + 1), streamText(rung.video, rung.how), soundText(rung.audio), kbps(rung.total_kbps), mos(rung.avq_mos), range(rung.interval_mos), vmaf(rung.video.vmaf),
      percent(rung.audio_share), `${(100 * rung.played_share).toFixed(1)}\u00a0%`, rung.step_mos === null ? "" : signed(rung.step_mos, 2),
      rung.preference_over_below === null ? "–" : percent(rung.preference_over_below), signed(-rung.loss_mos, 3),
      ...(priced ? [money(rung.cost.storage, spent(family.cost)), money(rung.cost.delivery, spent(family.cost))] : []), rung.audio_verdict, bestText(rung)];
    return element("tr", null, ...cells.map((cell, c) => element("td", { class: head[c] === "the same rate buys" ? "text wrap" : text.includes(head[c]) ? "text" : null }, cell)));
  });
  const mono = family.channels === 1 ? " mono" : "", caption = `${family.video_codec} and ${family.audio_codec}${mono}`;
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element("table", null, element("caption", null, caption),
    element("thead", null, element("tr", null, ...head.map((name) => element("th", { scope: "col", class: text.includes(name) ? "text" : null }, name)))), element("tbody", null, ...body)));
}

function auditLead(family) {
  const cost = family.cost === null ? "" : ` It costs ${money(family.cost.storage, spent(family.cost))} to keep and ${money(family.cost.delivery, spent(family.cost))} to deliver.`;
  return `${count(family.rungs.length, "rung")}: expected AVQ ${family.expected_avq_mos.toFixed(3)} at ${kbps(family.mean_kbps)} kbps sent on average; ${(100 * family.unreached_share).toFixed(1)}\u00a0% of the audience are below the lowest rung.${cost}`;
}

function showAudit(title) {
  const { audit } = title;
  byId("audit").hidden = !audit;
  if (!audit) return;
  byId("audit-heading").textContent = `The ladder that is shipped: ${audit.ladder}`;
  const parts = audit.families.flatMap((family) => [
    element("p", null, auditLead(family)), auditTable(family), ...auditNotes(family),
    family.advice.length ? element("ul", null, ...family.advice.map((advice) => element("li", null, advice.text)))
      : element("p", null, "Nothing to change: no other pairs, rungs or rates of this table are better."),
  ]);
  if (audit.unmatched.length) {
    const left = audit.unmatched.map((one) => `${one.place} (${one.reason})`).join("; ");
    parts.push(element("p", { class: "note" }, `Left out, so that all of the above is of the other rungs: ${left}.`));
  }
  parts.push(...audit.notes.map((note) => element("p", { class: "note" }, `${note}.`)));
  byId("audit-parts").replaceChildren(...parts, element("p", { class: "note" },
    `audio share: how far the judgement rests on the audio at this pair; video has the rest. next: AVQ that the next rung adds. preferred: probability that people rate it higher than the rung below by ${about.noticed_mos} or more. `
    + "without: how expected AVQ changes without this rung alone. ~: interpolated between measured rates; others were measured themselves. "
    + `*: smaller than ${about.model.difference_mos.toFixed(2)} MOS, below which the model cannot tell two pairs apart.`));
}
