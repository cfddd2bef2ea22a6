/**
 * `@0g/ffe` in Node: everything of the browser's entry, with files.
 * @packageDocumentation
 */
export * from '../index.js';
export { FFE } from './ffe.js';
export { findNetwork, writeFolder } from './files.js';
export { walletFromKeystore } from './keystore.js';
