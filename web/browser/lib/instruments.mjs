/**
 * Runs in the page before its own scripts, so it can use nothing from here. It notes when events arrive, when nodes
 * appear and are painted, how often the page changes in a frame, long tasks, and what the content policy stops.
 */
export function instruments() {
  const seen = {
    arrivals: [],
    appeared: {},
    painted: {},
    nodesAt: [],
    changes: [],
    longTasks: [],
    violations: [],
  };
  window.__seen = seen;
  window.__marker = Math.random();
  addEventListener('securitypolicyviolation', e => seen.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => seen.arrivals.push({ at: performance.now(), text: String(data) }));
    }
  };
  new PerformanceObserver(list => {
    for (const { startTime, duration } of list.getEntries()) seen.longTasks.push({ at: startTime, ms: duration });
  }).observe({ type: 'longtask', buffered: true });

  let inFrame = 0;
  const frame = () => {
    if (inFrame > 0) seen.changes.push({ at: performance.now(), n: inFrame });
    inFrame = 0;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const nodesIn = element => [
    ...(element.matches('.react-flow__node') ? [element] : []),
    ...element.querySelectorAll('.react-flow__node'),
  ];
  // It calls back once after each task that changed something: once a render.
  new MutationObserver(records => {
    const now = performance.now();
    inFrame++;
    for (const { addedNodes } of records) {
      for (const element of addedNodes) {
        if (element.nodeType !== Node.ELEMENT_NODE) continue;
        for (const node of nodesIn(element)) {
          const id = node.dataset.id;
          if (id in seen.appeared) continue;
          seen.appeared[id] = now;
          requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => {
              seen.painted[id] = performance.now();
            };
            port2.postMessage(null);
          });
        }
      }
    }
  }).observe(document, { childList: true, subtree: true, attributes: true, characterData: true });
}
