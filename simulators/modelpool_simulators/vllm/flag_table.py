"""The flags of `vllm serve` 0.32 that change nothing here, by how they are written.

Names only, taken from the real server's help; `flags` turns them into a parser and holds those that do change
something.
"""

from __future__ import annotations

_SWITCHES = """
    --aggregate-engine-logging --allow-credentials --allow-deprecated-quantization --async-scheduling
    --cohere-is-reasoning-model --cudagraph-metrics --data-parallel-external-lb --data-parallel-hybrid-lb
    --data-parallel-multi-port-external-lb --dcp-q-replicate --disable-cascade-attn --disable-chunked-mm-input
    --disable-custom-all-reduce --disable-fastapi-docs --disable-hybrid-kv-cache-manager --disable-log-stats
    --disable-nccl-for-dp-synchronization --disable-sliding-window --disable-uvicorn-access-log
    --enable-batch-sharded-sampling --enable-chunked-prefill --enable-cumem-allocator --enable-dbo
    --enable-elastic-ep --enable-ep-weight-filter --enable-eplb --enable-expert-parallel --enable-fault-tolerance
    --enable-flash-late-interaction --enable-flashinfer-autotune --enable-hc-sp --enable-layerwise-nvtx-tracing
    --enable-log-deltas --enable-log-outputs --enable-log-requests --enable-logging-iteration-details
    --enable-mamba-cache-stochastic-rounding --enable-mamba-shared-prefix-checkpoint --enable-mfu-metrics
    --enable-mixed-moe-lora-format --enable-mm-embeds --enable-moe-shared-loras --enable-nccl-comm-suspend
    --enable-offline-docs --enable-per-request-metrics --enable-prompt-embeds --enable-prompt-tokens-details
    --enable-return-routed-experts --enable-scale-out --enable-shm-tensor-arena --enable-ssl-refresh
    --enable-tokenizer-info-endpoint --enable-tower-connector-lora --enable-trace-replay
    --exclude-tools-when-tool-choice-none --fail-on-environ-validation --fully-sharded-loras --grpc --headless
    --interleave-mm-strings --kv-cache-metrics --kv-sharing-fast-prefill --log-error-stack
    --long-prefill-token-threshold-adaptive --mm-device-do-normalize --mm-encoder-only --numa-bind
    --per-request-spec-decode-metrics --ray-workers-use-nsight --return-sampling-mask --return-tokens-as-token-ids
    --scheduler-reserve-full-isl --skip-mm-profiling --skip-tokenizer-init --sleep-mode-offload-cudagraph
    --specialize-active-lora --swa-bounded-replay --tokens-only --trust-remote-code --trust-request-chat-template
    --trust-request-mm-kwargs --use-fp64-gumbel --use-replayssm --use-tqdm-on-load --watermark
"""
SWITCHES = tuple(_SWITCHES.split())
"""Flags without a value; each has a `--no-…` form."""

_VALUES = """
    --additional-config --all2all-backend
    --anthropic-disabled-thinking-effort --api-server-count --attention-backend --attention-config
    --aux-output-config --block-size --chat-template --chat-template-content-format --code-revision --cohere-format
    --collect-detailed-traces --compilation-config --config-format --cp-kv-cache-interleave-size
    --cpu-distributed-timeout-seconds --cpu-offload-gb --cpu-offload-params --custom-histogram-buckets
    --data-parallel-address --data-parallel-backend --data-parallel-rank --data-parallel-rpc-port
    --data-parallel-size --data-parallel-size-local --data-parallel-start-rank --data-parallel-supervisor-port
    --dbo-decode-token-threshold --dbo-prefill-token-threshold --dcp-comm-backend --dcp-kv-cache-interleave-size
    --decode-context-parallel-size --diffusion-config --disable-access-log-for-endpoints
    --distributed-executor-backend --distributed-timeout-seconds --dp-supervisor-probe-failure-threshold
    --dp-supervisor-probe-interval-s --dp-supervisor-probe-timeout-s --dp-sync-interval --ec-manager-config
    --ec-transfer-config --elastic-ep-max-dp-size --engram-config --eplb-config --expert-placement-strategy
    --fault-tolerance-config --fingerprint-mode --fingerprint-value --gdn-prefill-backend --generation-config
    --grpc-port --h11-max-header-count --h11-max-incomplete-event-size --hf-config-path --hf-token
    --ignore-patterns --io-processor-plugin --jit-monitor-mode --jit-monitor-verbose --kda-decode-backend
    --kda-prefill-backend --kernel-config --kv-cache-metrics-sample --kv-events-config --kv-offloading-backend
    --kv-offloading-size --kv-transfer-config --linear-backend --load-format --log-config-file --log-level
    --logging-config --logprobs-mode --long-prefill-token-threshold --lora-dtype --mamba-backend --mamba-block-size
    --mamba-cache-dtype --mamba-cache-mode --mamba-cache-philox-rounds --mamba-ssm-cache-dtype --mamba-ssu-algorithm
    --master-addr --master-port --max-cpu-loras --max-cudagraph-capture-size --max-log-len --max-logprobs
    --max-lora-cls-labels --max-lora-rank --max-loras --max-num-active-seqs --max-num-scheduled-tokens
    --max-parallel-loading-workers --media-io-kwargs --mm-encoder-attn-backend --mm-encoder-attn-dtype
    --mm-encoder-fp8-scale-path --mm-encoder-fp8-scale-save-margin --mm-encoder-fp8-scale-save-path
    --mm-encoder-tp-mode --mm-hasher-algorithm --mm-ipc-gpu-memory-gb --mm-processor-cache-gb
    --mm-processor-cache-type --mm-processor-device --mm-processor-kwargs --mm-shm-cache-max-object-size-mb
    --mm-tensor-ipc --model-class-overrides --model-impl --model-loader-extra-config --moe-backend --nnodes
    --node-rank --num-gpu-blocks-override --offload-backend --offload-group-size --offload-num-in-group
    --offload-params --offload-prefetch-step --optimization-level --otlp-traces-endpoint
    --override-generation-config --performance-mode --pooler-config --prefill-context-parallel-size
    --prefill-schedule-interval --prefix-cache-retention-interval --prefix-caching-hash-algo --prefix-match-unit
    --profiler-config --pt-load-map-location --quantization-config --reasoning-config --reasoning-parser-plugin
    --renderer-num-workers --replayssm-buffer-len --response-role --safetensors-load-strategy
    --safetensors-prefetch-block-size --safetensors-prefetch-num-threads --scheduler-cls --scheduling-policy
    --show-hidden-metrics-for-version --sleep-preserve-parameter-names --sparse-indexer-topk-backend --ssl-ca-certs
    --ssl-cert-reqs --ssl-certfile --ssl-ciphers --ssl-keyfile --stream-interval --structured-outputs-config
    --tokenizer --tokenizer-mode --tokenizer-revision --tool-parser-plugin --tool-server --tool-strict-level
    --ubatch-size --uds --uvicorn-log-level --video-pruning-method --video-pruning-rate --watermark-config
    --weight-transfer-config --worker-cls --worker-extension-cls
"""
VALUES = tuple(_VALUES.split())
"""Flags with one value."""

_LISTS = """
    --allowed-headers --allowed-methods --allowed-origins --cudagraph-capture-sizes --default-mm-loras
    --kv-cache-dtype-skip-layers --logits-processors --lora-modules --lora-target-modules --middleware
    --numa-bind-cpus --numa-bind-nodes
"""
LISTS = tuple(_LISTS.split())
"""Flags with one or more values."""
