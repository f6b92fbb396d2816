// A plugin that shows all that the helper offers; the tests build it and call it.

// oxlint-disable-next-line typescript/consistent-type-imports -- AssemblyScript has no type imports
import { log, on, onFilter, Request, WARN } from "./index";
export { keelson_alloc, keelson_call, keelson_free, keelson_methods } from "./index";

on("shout", (request: Request): void => {
  request.replyText(request.text().toUpperCase());
});

on("reverse", (request: Request): void => {
  request.replyBytes(request.bytes().reverse());
});

on("kind", (request: Request): void => {
  request.replyJson(`{"bytes":${request.isBytes},"json":${request.isJson},"text":${request.isText}}`);
});

on("nothing", (_request: Request): void => {});

on("refuse", (request: Request): void => {
  request.fail("no " + request.text());
});

on("assert", (request: Request): void => {
  assert(request.isBytes, "bytes are wanted");
});

on("log", (request: Request): void => {
  log(request.text(), WARN);
});

onFilter("emphasize", (value: string): string => value.toUpperCase() + "!");
