/* A page's Python, in a thread of its own. It says how many bytes have come, then that it is ready; from then on a
   message {cell, source} is answered by what publishing/kernel.py makes of it. */
import { loadPyodide } from "./pyodide.mjs";

const here = name => new URL(name, import.meta.url).href;
const fetchPlain = self.fetch.bind(self);
let received = 0;
self.fetch = async (...request) => counted(await fetchPlain(...request));

/* An answer that reports its bytes while they come. */
function counted(answer) {
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${answer.statusText}`);
  const count = new TransformStream({
    transform(chunk, controller) {
      postMessage({ received: (received += chunk.byteLength) });
      controller.enqueue(chunk);
    },
  });
  return new Response(answer.body.pipeThrough(count), { headers: answer.headers });
}

async function start() {
  const [python, ...archives] = await Promise.all([
    loadPyodide({ indexURL: here(".") }),
    ...["sympy.zip", "adai.zip"].map(async name => (await fetch(here(name))).arrayBuffer()),
  ]);
  postMessage({ starting: true });
  const packages = python.runPython("import sysconfig; sysconfig.get_path('purelib')");
  for (const archive of archives) python.unpackArchive(archive, "zip", { extractDir: packages });
  return python.runPython(`
    import kernel
    names = {"__name__": "__main__"}
    lambda source, file: kernel.run_as_json(source, names, file)`);
}

const run = start();
run.then(() => postMessage({ ready: true }), error => postMessage({ failed: String(error.message ?? error) }));
self.onmessage = async ({ data: { cell, source } }) => postMessage(JSON.parse((await run)(source, cell)));
