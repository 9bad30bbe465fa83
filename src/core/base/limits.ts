/**
 * Every limit that bounds what outside input can cost, by name and unit. The relations between
 * them are asserted in `test/core/base/limits.test.ts`.
 */

// Faults
/** A fault quotes its input; a longer message is cut here. */
export const FAULT_MESSAGE_CHARS_MAX: number = 1_000;

// Formats
export const CBOR_DEPTH_MAX: number = 16;
export const CBOR_ITEMS_MAX: number = 65_536;
export const MANIFEST_BYTES_MAX: number = 64 * 1024;
export const SIGNATURES_MAX: number = 8;
export const SIGNATURE_BLOCK_BYTES_MAX: number = 512;
export const ROOT_BYTES_MAX: number = 64 * 1024;
export const ROOT_KEYS_MAX: number = 64;
export const KEY_FILE_BYTES_MAX: number = 4096;
export const PASSPHRASE_BYTES_MIN: number = 8;
/** Of OpenSSL's own prompt too (PEM_BUFSIZE). */
export const PASSPHRASE_BYTES_MAX: number = 1024;
/** Rounds that an encrypted key file may ask for: some five seconds. */
export const KEY_KDF_ITERATIONS_MAX: number = 10_000_000;

// Bundles
export const BUNDLE_FILES_MAX: number = 32;
export const BUNDLE_FILE_BYTES_MAX: number = 2 ** 31;
/** What a device holds in memory of one bundle's payloads; larger ones verify but do not run. */
export const PAYLOAD_IN_MEMORY_BYTES_MAX: number = 512 * 1024 * 1024;
export const GUARD_POLICY_BYTES_MAX: number = 16 * 1024 * 1024;
export const HASH_CHUNK_BYTES: number = 256 * 1024;
export const METADATA_JSON_BYTES_MAX: number = 256 * 1024;

// Tensors and models
export const TENSOR_RANK_MAX: number = 8;
export const TENSOR_BYTES_MAX: number = 256 * 1024 * 1024;
export const TENSOR_ELEMENTS_MAX: number = 2 ** 26;
export const TENSOR_NAME_CHARS_MAX: number = 128;
export const MODEL_PORTS_MAX: number = 32;
export const ONNX_NODES_MAX: number = 20_000;
/** Names of values, tensors and attributes in all graphs of a model together. */
export const ONNX_NAMES_MAX: number = 400_000;
export const ONNX_NAME_BYTES_MAX: number = 4096;
/** Graphs inside graphs (bodies of Loop, If and Scan). */
export const ONNX_DEPTH_MAX: number = 8;
export const NPY_HEADER_BYTES_MAX: number = 4096;
/** Data sets for calibration are read whole. */
export const NPY_FILE_BYTES_MAX: number = 1024 * 1024 * 1024;

// Inference
export const RUN_DEADLINE_MS: number = 1_000;
export const SESSION_DEADLINE_MS: number = 30_000;
export const DEADLINE_MS_MAX: number = 600_000;
export const RESPAWNS_MAX: number = 3;
export const RESPAWN_WINDOW_MS: number = 60_000;
export const WASM_PAGES_MAX: number = 65_536;
export const BATCH_MAX: number = 1_024;
/** Runs that wait behind the one in the worker. */
export const RUNS_WAITING_MAX: number = 16;
/** JavaScript memory of the inference worker; ONNX Runtime's own is bounded in WebAssembly pages. */
export const WORKER_HEAP_MB: number = 128;
export const WORKER_YOUNG_HEAP_MB: number = 16;
export const WORKER_STACK_MB: number = 4;

// Guard
export const FEATURES_MAX: number = 4_096;
export const CLASSES_MAX: number = 4_096;
export const CALIBRATION_ROWS_MAX: number = 1_000_000;
export const FROZEN_FRAMES_MAX: number = 1_000;
export const REASONS_MAX: number = 32;
/** A released output stands in for a missing one for a day at most, whatever the settings say. */
export const LAST_GOOD_AGE_MS_MAX: number = 86_400_000;
/** Numbers in one declared safe output; a detection head has some ten thousand. */
export const SAFE_OUTPUT_VALUES_MAX: number = 65_536;

// Telemetry
export const ENVELOPE_BYTES_MAX: number = 64 * 1024;
export const QUEUE_MESSAGES_MAX: number = 1_024;
export const QUEUE_BYTES_MAX: number = 4 * 1024 * 1024;
export const IN_FLIGHT_MAX: number = 16;
export const HEALTH_PERIOD_MS: number = 60_000;
export const BACKOFF_FIRST_MS: number = 1_000;
export const BACKOFF_MAX_MS: number = 300_000;
export const BACKOFF_STABLE_MS: number = 60_000;
/** How much a collector remembers of one device's chain. */
export const CHAIN_HASHES_MAX: number = 256;
export const CHAIN_EPOCHS_MAX: number = 8;

// Uplink
/** From the first packet of a connection to the broker's answer. */
export const CONNECT_DEADLINE_MS: number = 15_000;
/** A broker that does not acknowledge for so long is taken for gone. */
export const PUBACK_DEADLINE_MS: number = 20_000;
export const CLOSE_DEADLINE_MS: number = 3_000;
export const KEEPALIVE_SECONDS: number = 30;
/** Of packets from the broker: this client is sent acknowledgements only. */
export const INBOUND_PACKET_BYTES_MAX: number = 64 * 1024;

// Rollback floor
export const FLOORS_MAX: number = 64;
export const FLOOR_BYTES_MAX: number = 128 * 1024;

// Session
/** A device in SAFE tries to heal itself at most this often. */
export const SELF_TEST_PAUSE_MS: number = 10_000;

// Reporting
/** Events at once, and how fast that allowance comes back. */
export const EVENT_BURST_MAX: number = 64;
export const EVENT_REFILL_MS: number = 1_000;

// Command line
/** A frame file younger than this that cannot be read may still be written. */
export const FRAME_SETTLE_MS: number = 1_000;
export const FRAME_LINE_CHARS_MAX: number = 16 * 1024 * 1024;

// The maker's own machine
export const MAKER_DEADLINE_MS: number = 120_000;
/** A bundle to which signatures are added is held whole: what was verified is what is written. */
export const SIGNING_BUNDLE_BYTES_MAX: number = 1024 * 1024 * 1024;

// Scan of a model
/** Protobuf fields of one model, at all levels. */
export const SCAN_FIELDS_MAX: number = 2 ** 21;
/** Messages inside messages. */
export const SCAN_NESTING_MAX: number = 64;
/** Graphs inside graphs that pass without a finding: a condition inside a loop. */
export const SCAN_LOOP_DEPTH_MAX: number = 2;
/** Of all `metadata_props` in a model together. */
export const SCAN_METADATA_BYTES_MAX: number = 1024 * 1024;
/** Of each code; more are counted only. */
export const SCAN_FINDINGS_LISTED_MAX: number = 16;
