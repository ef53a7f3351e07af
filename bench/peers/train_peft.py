"""Seconds of a LoRA training step in PyTorch + PEFT, float32 on the CPU: what bench/train.mjs sets edge-net beside.

    train_peft.py --threads 2 --tokens 128 --rank 4 --reps 5     -> one JSON object

The model has the shape of qwen2.5-0.5b and random weights: figures are about speed and memory only. One step is what a trainer does: forward, loss,
backward, clip, AdamW, with gradient checkpointing off (PyTorch's faster way).
"""
import argparse
import json
import resource
import statistics
import time

import torch
import transformers
import peft
from transformers import Qwen2Config, Qwen2ForCausalLM


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, value in (("threads", 2), ("tokens", 128), ("rank", 4), ("reps", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    base = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        max_position_embeddings=32768, rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = peft.get_peft_model(base, peft.LoraConfig(r=o.rank, lora_alpha=2 * o.rank, target_modules=targets, task_type="CAUSAL_LM")).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    ids = torch.randint(300, 29000, (1, o.tokens))

    def step() -> float:
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    step()
    seconds, cpu = [], []
    for _ in range(o.reps):
        t, c = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - t)
        cpu.append((time.process_time() - c) / seconds[-1])
    print(json.dumps({
        "who": "PyTorch + PEFT, float32", "version": f"torch {torch.__version__} peft {peft.__version__} transformers {transformers.__version__}", "threads": o.threads, "tokens": o.tokens,
        "rank": o.rank, "tok_s_med": o.tokens / statistics.median(seconds), "tok_s_min": o.tokens / max(seconds), "tok_s_max": o.tokens / min(seconds),
        "cpu_util": statistics.median(cpu), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "model_mb": before_mb,
    }))


main()
