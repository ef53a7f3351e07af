# thread_enter.S - first call in a new compute lane of the -mt builds: w_thread_enter(stack_top, tls).
# Gives the instance its own stack and thread-local block; written in assembly because C cannot set __stack_pointer and
# exporting it as a mutable global is refused by older linkers. Lanes must not call _initialize.
	.globaltype	__stack_pointer, i32
	.functype	__wasm_init_tls (i32) -> ()
	.globl	w_thread_enter
	.type	w_thread_enter,@function
	.export_name	w_thread_enter, w_thread_enter
w_thread_enter:
	.functype	w_thread_enter (i32, i32) -> ()
	local.get 0
	global.set __stack_pointer
	local.get 1
	call __wasm_init_tls
	end_function
	.section	.custom_section.target_features,"",@
	.int8	2
	.int8	43
	.int8	7
	.ascii	"atomics"
	.int8	43
	.int8	11
	.ascii	"bulk-memory"
