// Shows page.json with igv.js. Only files of this folder are asked for.
"use strict";

(async function () {
  const problem = document.getElementById("problem");
  const boxes = [...document.querySelectorAll("#chooser input[type=checkbox]")];
  const rows = boxes.map((box) => box.closest("tr"));

  function report(text) {
    problem.textContent = text;
    problem.hidden = false;
  }

  if (location.protocol === "file:") {
    report(document.getElementById("as-file").content.textContent);
    return;
  }

  let page;
  let browser;
  try {
    const answer = await fetch("page.json");
    if (!answer.ok) throw new Error(`page.json: ${answer.status} ${answer.statusText}`);
    page = await answer.json();
    // Before igv.js starts, since a browser may have kept the boxes of an earlier visit.
    boxes.forEach((box, index) => { box.checked = page.shown[index]; });
    const tracks = page.igv.tracks.concat(page.tracks.filter((_, index) => page.shown[index]));
    // igv.js changes the configuration it is given, so it gets copies.
    const config = structuredClone({ ...page.igv, tracks });
    browser = await igv.createBrowser(document.getElementById("igv"), config);
  } catch (error) {
    report(`The tracks could not be shown: ${error.message || error}`);
    return;
  }

  const loaded = new Map();
  page.tracks.forEach((config, index) => {
    const view = browser.trackViews.find((v) => v.track.order === config.order && v.track.name === config.name);
    if (view) loaded.set(index, view.track);
  });

  // One change after another: igv.js does not order overlapping loads.
  let queue = Promise.resolve();
  function update(index) {
    queue = queue.then(async () => {
      const wanted = boxes[index].checked;
      if (wanted && !loaded.has(index)) {
        loaded.set(index, await browser.loadTrack(structuredClone(page.tracks[index])));
      } else if (!wanted && loaded.has(index)) {
        browser.removeTrack(loaded.get(index));
        loaded.delete(index);
      }
    }).catch((error) => report(`${page.tracks[index].name}: ${error.message || error}`));
    return queue;
  }

  boxes.forEach((box, index) => box.addEventListener("change", () => update(index)));
  function setAll(wanted) {
    rows.forEach((row, index) => {
      if (!row.hidden && boxes[index].checked !== wanted) {
        boxes[index].checked = wanted;
        update(index);
      }
    });
  }
  document.getElementById("all").addEventListener("click", () => setAll(true));
  document.getElementById("none").addEventListener("click", () => setAll(false));

  // A track closed in igv.js itself is unchecked here too.
  browser.on("trackremoved", (removed) => {
    const tracks = Array.isArray(removed) ? removed : [removed];
    for (const [index, track] of loaded) {
      if (tracks.includes(track)) {
        loaded.delete(index);
        boxes[index].checked = false;
      }
    }
  });

  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    });
  });

  window.browser = browser;
  document.body.dataset.ready = "true";
})();
