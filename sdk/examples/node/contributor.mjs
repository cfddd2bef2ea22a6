// A contributor's whole way: node contributor.mjs NETWORK KEYSTORE PASSWORD_FILE SESSION ROWS FOLDER
import { readFile } from 'node:fs/promises';
import { FFE, FFEError, walletFromKeystore } from '@0g/ffe';

const [network, keystore, passwordFile, session, rows, folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: contributor.mjs NETWORK KEYSTORE PASSWORD_FILE SESSION ROWS FOLDER');
  process.exit(2);
}
const onProgress = ({ verb, text }) => text && console.error(verb.padStart(12), text);

try {
  const [password] = (await readFile(passwordFile, 'utf8')).split('\n');
  const signer = await walletFromKeystore(keystore, password);
  const ffe = new FFE({ network, signer });
  await ffe.submit(session, rows, { onProgress });
  for await (const { state, stage, done, total } of ffe.watch(session)) {
    console.error(`${state}: ${stage} ${done}/${total}`);
  }
  const model = await ffe.download(session, { folder, onProgress });
  console.log(model.adapterSha256);
} catch (error) {
  if (!(error instanceof FFEError)) throw error;
  console.error(`error: ${error.message}\nhint: ${error.hint}`);
  process.exitCode = 1;
}
