// @ts-check
// The body of the worker in which an engine lives.
import { createHandlers } from '../js-glue/handlers.js';
import { ownPort } from '../js-glue/ports.js';
import { serve } from '../js-glue/rpc.js';

const own = ownPort();
serve(own instanceof Promise ? await own : own, createHandlers({ inPlace: false }));
