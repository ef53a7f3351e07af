// @ts-check
// The public package: everything a program may import from '@ruvector/edge-net-models'.
export { InferenceSession } from './session.js';
export { ModelLoader } from './loader.js';
export { EdgeNetError, ERROR_CODES } from './errors.js';
export { capabilities } from './capabilities.js';
export { PARAMS } from './params.js';
export { AdapterPool } from './adapter-pool.js';
export { computeModelCID } from './manifest/file-cid.js';
export { openManifest, verifyModelSignature } from './trust/open.js';
export { TrustStore } from './trust/store.js';
export { trustStorage } from './trust/storage.js';

/**
 * @typedef {import('./errors.js').ErrorCode} ErrorCode
 * @typedef {import('./manifest/manifest.js').Manifest} Manifest
 * @typedef {import('./trust/open.js').TrustOptions} TrustOptions
 * @typedef {import('./session.js').SessionOptions} SessionOptions
 * @typedef {import('./session.js').Prompt} Prompt
 * @typedef {import('./options.js').GenerateOptions} GenerateOptions
 * @typedef {import('./options.js').GenerateOptions} GenerateConfig
 * @typedef {import('./scheduler.js').Completion} Completion
 * @typedef {import('./scheduler.js').Timings} Timings
 * @typedef {import('./chat.js').Message} Message
 * @typedef {import('./fork.js').Fork} Fork
 * @typedef {import('./trainer.js').Trainer} Trainer
 * @typedef {import('./train-options.js').MicroLoRAConfig} MicroLoRAConfig
 * @typedef {import('./train-options.js').RunOptions} TrainOptions
 * @typedef {import('./train-options.js').TrainSample} TrainSample
 * @typedef {import('./train-options.js').TrainEvent} TrainEvent
 * @typedef {import('./training.js').TrainReport} TrainReport
 * @typedef {import('./training.js').TrainPlan} TrainPlan
 * @typedef {import('./train-options.js').Teacher} Teacher
 * @typedef {import('./train-options.js').TeacherRows} TeacherRows
 * @typedef {import('./train-options.js').EvaluateOptions} EvaluateOptions
 * @typedef {import('./train-options.js').Evaluated} Evaluated
 * @typedef {import('./adapter.js').Adapter} Adapter
 * @typedef {import('./adapter.js').AdapterSource} AdapterSource
 * @typedef {import('./adapters.js').AdapterInfo} AdapterInfo
 * @typedef {import('./lora-json.js').LoRAAdapter} LoRAAdapter
 * @typedef {import('./lora-trust.js').SigningKey} SigningKey
 * @typedef {import('./engine.js').ModelInfo} ModelInfo
 * @typedef {import('./engine.js').MemoryInfo} MemoryInfo
 * @typedef {import('./loader.js').LoaderOptions} LoaderOptions
 * @typedef {import('./loader.js').LoaderOptions} ModelConfig
 * @typedef {import('./loader.js').LoadOptions} LoadOptions
 * @typedef {import('./loader.js').CachedModel} CachedModel
 * @typedef {import('./loader.js').Compatibility} Compatibility
 * @typedef {import('./catalog.js').ModelSummary} ModelSummary
 * @typedef {import('./load.js').Progress} Progress
 * @typedef {import('./sources.js').ModelSource} ModelSource
 * @typedef {import('./variants.js').Variant} Variant
 * @typedef {import('./variants.js').WasmSource} WasmSource
 * @typedef {import('./capabilities.js').Capabilities} Capabilities
 */
