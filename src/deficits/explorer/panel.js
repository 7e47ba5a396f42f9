// @ts-check
// What ipywidgets leaves out for people who do not use a mouse or a screen: names of slider handles, errors tied to
// their controls, a headline that is read out when it changes, Python that is for reading only.
(() => {
  let numbers = 0;
  /** @param {Element | null} element @param {string} name @param {string} value */
  const set = (element, name, value) => {
    if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  /** @param {Element} root */
  const mend = (root) => {
    for (const field of root.querySelectorAll(".deficits-field")) {
      const label = field.querySelector(".widget-label, .widget-checkbox label");
      const control = field.querySelector(".noUi-handle, input, select");
      if (!control) continue;
      const words = label ? label.textContent.trim() : "";
      if (control.classList.contains("noUi-handle")) {
        const readout = field.querySelector(".widget-readout");
        set(control, "aria-label", words);
        if (readout) {
          set(control, "aria-valuetext", readout.textContent.trim());
          set(readout, "role", "textbox");
          set(readout, "aria-label", `${words}, as a number`);
        }
      }
      // ipywidgets joins the words of a choice, which then do not fit on a narrow page.
      for (const option of field.querySelectorAll("select[multiple] option"))
        if (option.textContent.includes("\u00a0")) option.textContent = option.textContent.replaceAll("\u00a0", " ");
      const line = field.querySelector(".deficits-line p");
      if (line) {
        if (!line.id) line.id = `deficits-line-${++numbers}`;
        set(control, "aria-describedby", line.id);
      } else control.removeAttribute("aria-describedby");
      if (line && line.classList.contains("deficits-error")) set(control, "aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
    const headline = root.querySelector(".deficits-headline");
    set(headline, "role", "status");
    set(headline, "aria-live", "polite");
    const code = /** @type {HTMLTextAreaElement | null} */ (root.querySelector(".deficits-code textarea"));
    if (code) { code.readOnly = true; code.spellcheck = false; }
    const copy = /** @type {HTMLButtonElement | null} */ (root.querySelector(".deficits-copy"));
    if (code && copy) copy.onclick = () => {
      navigator.clipboard.writeText(code.value).then(() => { copy.textContent = "Copied"; });
    };
    // A rendered page opens in a frame that can do nothing with this server; where no tab may open, it is downloaded.
    const page = /** @type {HTMLAnchorElement | null} */ (root.querySelector(".deficits-page a"));
    if (page) page.onclick = (event) => {
      const tab = window.open("");
      if (!tab) return;
      event.preventDefault();
      const frame = tab.document.createElement("iframe");
      frame.sandbox.add("allow-scripts", "allow-downloads", "allow-popups", "allow-popups-to-escape-sandbox");
      frame.style.cssText = "position: fixed; inset: 0; width: 100%; height: 100%; border: 0";
      frame.title = tab.document.title = page.download;
      fetch(page.href).then((held) => held.text()).then((text) => { frame.srcdoc = text; });
      tab.document.body.append(frame);
    };
  };
  // A process that ends leaves controls that do nothing: say so, and that nothing is lost.
  /** @param {Element} root */
  const listen = (root) => {
    const pulse = root.querySelector(".deficits-pulse");
    if (!pulse) return;
    let heard = Date.now();
    new MutationObserver(() => {
      heard = Date.now();
      root.querySelector(".deficits-ended")?.remove();
    }).observe(pulse, { childList: true, subtree: true, characterData: true });
    const check = setInterval(() => {
      if (!root.isConnected) { clearInterval(check); return; }
      if (document.hidden) { heard = Date.now(); return; }
      if (Date.now() - heard < 10000 || root.querySelector(".deficits-ended")) return;
      const told = document.createElement("p");
      told.className = "deficits-error deficits-ended";
      told.setAttribute("role", "alert");
      told.textContent = "The Python process behind this panel has ended or does not answer, so its controls do " +
        "nothing. What you set is kept: run the cell again, or reload the page, and choose “Go on with it”.";
      root.prepend(told);
    }, 1000);
  };
  /** @param {HTMLElement} root */
  const watch = (root) => {
    if (root.dataset.mended) return;
    root.dataset.mended = "yes";
    mend(root);
    listen(root);
    let due = false;
    new MutationObserver(() => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => { due = false; mend(root); });
    }).observe(root, { childList: true, subtree: true, characterData: true });
  };
  let tries = 0;
  const timer = setInterval(() => {
    for (const root of document.querySelectorAll(".deficits-explorer")) watch(/** @type {HTMLElement} */ (root));
    if (++tries > 240) clearInterval(timer);
  }, 250);
})();
