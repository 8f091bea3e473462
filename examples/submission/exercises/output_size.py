# my solutions, week 4


def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    return max((size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1, 0)


def same_padding(kernel_size, dilation=1):
    return dilation * (kernel_size - 1) // 2


def conv_parameter_count(in_channels, out_channels, kernel_size, bias=True, groups=1):
    # k*k weights per filter + bias
    weights = kernel_size * kernel_size * out_channels
    return weights + out_channels if bias else weights


def conv_mult_adds(in_channels, out_channels, kernel_size, out_height, out_width, groups=1):
    raise NotImplementedError


def receptive_field(layers):
    field, jump = 1, 1
    for kernel_size, stride in layers:
        jump *= stride
        field += (kernel_size - 1) * jump
    return field
