module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<64xf32>, %arg1: tensor<24x64xf32>, %arg2: tensor<10xf32>, %arg3: tensor<64x10xf32>, %arg4: tensor<24xf32>, %arg5: tensor<24xf32>, %arg6: tensor<1x24xf32>) -> (tensor<1x10xf32> {jax.result_info = "result"}) {
    %0 = chlo.square %arg6 : tensor<1x24xf32> -> tensor<1x24xf32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %1 = stablehlo.reduce(%arg6 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<1x24xf32>, tensor<f32>) -> tensor<1xf32>
    %cst_0 = stablehlo.constant dense<2.400000e+01> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<1xf32>
    %3 = stablehlo.divide %1, %2 : tensor<1xf32>
    %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %4 = stablehlo.reduce(%0 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<1x24xf32>, tensor<f32>) -> tensor<1xf32>
    %cst_2 = stablehlo.constant dense<2.400000e+01> : tensor<f32>
    %5 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<1xf32>
    %6 = stablehlo.divide %4, %5 : tensor<1xf32>
    %7 = chlo.square %3 : tensor<1xf32> -> tensor<1xf32>
    %8 = stablehlo.subtract %6, %7 : tensor<1xf32>
    %cst_3 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %9 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<1xf32>
    %10 = stablehlo.maximum %9, %8 : tensor<1xf32>
    %11 = stablehlo.broadcast_in_dim %3, dims = [0] : (tensor<1xf32>) -> tensor<1x1xf32>
    %12 = stablehlo.broadcast_in_dim %10, dims = [0] : (tensor<1xf32>) -> tensor<1x1xf32>
    %13 = stablehlo.broadcast_in_dim %11, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<1x24xf32>
    %14 = stablehlo.subtract %arg6, %13 : tensor<1x24xf32>
    %cst_4 = stablehlo.constant dense<9.99999997E-7> : tensor<f32>
    %15 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<1x1xf32>
    %16 = stablehlo.add %12, %15 : tensor<1x1xf32>
    %17 = stablehlo.rsqrt %16 : tensor<1x1xf32>
    %18 = stablehlo.reshape %arg5 : (tensor<24xf32>) -> tensor<1x24xf32>
    %19 = stablehlo.broadcast_in_dim %17, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<1x24xf32>
    %20 = stablehlo.multiply %19, %18 : tensor<1x24xf32>
    %21 = stablehlo.multiply %14, %20 : tensor<1x24xf32>
    %22 = stablehlo.reshape %arg4 : (tensor<24xf32>) -> tensor<1x24xf32>
    %23 = stablehlo.add %21, %22 : tensor<1x24xf32>
    %24 = stablehlo.convert %23 : (tensor<1x24xf32>) -> tensor<1x24xbf16>
    %25 = stablehlo.convert %arg1 : (tensor<24x64xf32>) -> tensor<24x64xbf16>
    %26 = stablehlo.convert %arg0 : (tensor<64xf32>) -> tensor<64xbf16>
    %27 = stablehlo.dot_general %24, %25, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<1x24xbf16>, tensor<24x64xbf16>) -> tensor<1x64xbf16>
    %28 = stablehlo.reshape %26 : (tensor<64xbf16>) -> tensor<1x64xbf16>
    %29 = stablehlo.add %27, %28 : tensor<1x64xbf16>
    %cst_5 = stablehlo.constant dense<5.000000e-01> : tensor<bf16>
    %30 = stablehlo.broadcast_in_dim %cst_5, dims = [] : (tensor<bf16>) -> tensor<1x64xbf16>
    %31 = stablehlo.multiply %30, %29 : tensor<1x64xbf16>
    %32 = stablehlo.negate %29 : tensor<1x64xbf16>
    %cst_6 = stablehlo.constant dense<7.070310e-01> : tensor<bf16>
    %33 = stablehlo.broadcast_in_dim %cst_6, dims = [] : (tensor<bf16>) -> tensor<1x64xbf16>
    %34 = stablehlo.multiply %32, %33 : tensor<1x64xbf16>
    %35 = chlo.erfc %34 : tensor<1x64xbf16> -> tensor<1x64xbf16>
    %36 = stablehlo.multiply %31, %35 : tensor<1x64xbf16>
    %37 = stablehlo.convert %36 : (tensor<1x64xbf16>) -> tensor<1x64xf32>
    %38 = stablehlo.dot_general %37, %arg3, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<1x64xf32>, tensor<64x10xf32>) -> tensor<1x10xf32>
    %39 = stablehlo.reshape %arg2 : (tensor<10xf32>) -> tensor<1x10xf32>
    %40 = stablehlo.add %38, %39 : tensor<1x10xf32>
    %cst_7 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %41 = stablehlo.reduce(%40 init: %cst_7) applies stablehlo.maximum across dimensions = [1] : (tensor<1x10xf32>, tensor<f32>) -> tensor<1xf32>
    %cst_8 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %42 = stablehlo.broadcast_in_dim %cst_8, dims = [] : (tensor<f32>) -> tensor<1xf32>
    %43 = stablehlo.maximum %42, %41 : tensor<1xf32>
    %44 = stablehlo.broadcast_in_dim %43, dims = [0] : (tensor<1xf32>) -> tensor<1x1xf32>
    %45 = stablehlo.broadcast_in_dim %44, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<1x10xf32>
    %46 = stablehlo.subtract %40, %45 : tensor<1x10xf32>
    %47 = stablehlo.exponential %46 : tensor<1x10xf32>
    %cst_9 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %48 = stablehlo.reduce(%47 init: %cst_9) applies stablehlo.add across dimensions = [1] : (tensor<1x10xf32>, tensor<f32>) -> tensor<1xf32>
    %49 = stablehlo.broadcast_in_dim %48, dims = [0] : (tensor<1xf32>) -> tensor<1x1xf32>
    %50 = stablehlo.broadcast_in_dim %49, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<1x10xf32>
    %51 = stablehlo.divide %47, %50 : tensor<1x10xf32>
    return %51 : tensor<1x10xf32>
  }
}
