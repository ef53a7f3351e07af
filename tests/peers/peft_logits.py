"""Logits of transformers + PEFT for a GGUF base in F32 (llama or qwen2 family) and a PEFT adapter folder.

    peft_logits.py MODEL.gguf ADAPTER_FOLDER 1,2,3 OUT.f32

The base is read with llama.cpp's own gguf package and put into a transformers model by names, so that nothing of ours lies in between; llama's q and k
rows are put back into the half-split order that transformers computes with (head rows (2i, 2i+1) -> (i, i + D/2)).
"""
import sys

import numpy as np
import torch
from gguf import GGUFReader
from peft import PeftModel
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}
TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}


def half_split(rows: torch.Tensor, heads: int) -> torch.Tensor:
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def read_model(path: str):
    reader = GGUFReader(path)
    arch = reader.fields["general.architecture"].contents()
    get = lambda key: reader.fields[f"{arch}.{key}"].contents()
    tensors = {t.name: torch.from_numpy(np.array(t.data, dtype=np.float32)) for t in reader.tensors}
    heads, kv_heads = get("attention.head_count"), get("attention.head_count_kv")
    rope = reader.fields.get(f"{arch}.rope.freq_base")
    shape = dict(
        vocab_size=tensors["token_embd.weight"].shape[0], hidden_size=get("embedding_length"), intermediate_size=get("feed_forward_length"),
        num_hidden_layers=get("block_count"), num_attention_heads=heads, num_key_value_heads=kv_heads, rms_norm_eps=get("attention.layer_norm_rms_epsilon"),
        rope_theta=rope.contents() if rope else 10000.0, max_position_embeddings=get("context_length"), tie_word_embeddings="output.weight" not in tensors,
        attn_implementation="eager",
    )
    model = (Qwen2ForCausalLM(Qwen2Config(**shape)) if arch == "qwen2" else LlamaForCausalLM(LlamaConfig(**shape))).eval()
    state = {}
    for name, value in tensors.items():
        if name in TOP:
            state[TOP[name]] = value
            continue
        _, layer, part, kind = name.split(".")
        if arch == "llama" and part in ("attn_q", "attn_k"):
            value = half_split(value, heads if part == "attn_q" else kv_heads)
        state[f"model.layers.{layer}.{NAMES[part]}.{kind}"] = value
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if not (name == "lm_head.weight" and shape["tie_word_embeddings"])]
    assert not missing and not unexpected, (missing, unexpected)
    return model


def main() -> None:
    path, adapter, ids, out = sys.argv[1:5]
    model = PeftModel.from_pretrained(read_model(path), adapter).eval()
    with torch.no_grad():
        logits = model(torch.tensor([[int(i) for i in ids.split(",")]])).logits[0]
    logits.numpy().astype("<f4").tofile(out)


if __name__ == "__main__":
    main()
