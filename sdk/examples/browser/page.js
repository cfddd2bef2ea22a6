// A plain page, no bundler: the wallet is what the browser offers as window.ethereum.
import { BrowserProvider } from 'ethers';
import { FFE, FFEError } from '@0g/ffe';

const element = (id) => document.getElementById(id);
const session = () => element('session').value;
const log = (text) => (element('log').textContent += `${text}\n`);

const onProgress = ({ verb, text, done, total }) => {
  if (text !== undefined) log(`${verb.padStart(12)} ${text}`);
  else Object.assign(element('bar'), { value: done, max: total });
};

async function client() {
  if (window.ethereum === undefined) throw new Error('this browser has no wallet');
  const signer = await new BrowserProvider(window.ethereum).getSigner();
  return new FFE({ network: new URL('network.json', location.href).href, signer });
}
let open;
const ffe = () => (open ??= client());

async function verify() {
  const client = await ffe();
  const { opened } = await client.status(session());
  const { quote, links } = await client.verifyEnclave(opened.terms.enclaveId, opened.terms);
  for (const { name, state, detail } of [...quote.checks, ...links]) {
    log(`${state.padStart(13)}  ${name}  ${detail}`);
  }
}

async function submit() {
  const [file] = element('rows').files;
  if (file === undefined) throw new Error('choose a file of rows');
  const { txHash } = await (await ffe()).submit(session(), file, { onProgress });
  log(`submitted: ${txHash}`);
}

async function download() {
  const model = await (await ffe()).download(session(), { onProgress });
  log(`adapter ${model.adapterSha256}`);
  for (const [name, bytes] of model.files) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = link.textContent = name;
    document.body.append(link, ' ');
  }
}

for (const [id, run] of Object.entries({ verify, submit, download })) {
  element(id).addEventListener('click', async () => {
    try {
      await run();
      log(`${id}: done`);
    } catch (error) {
      log(`error: ${error.message}`);
      if (error instanceof FFEError && error.hint !== '') log(`hint: ${error.hint}`);
    }
  });
}
