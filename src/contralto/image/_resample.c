/* One pass of Pillow's resampling of 8-bit pictures, bit for bit: weighted sums along lines, rounded and clipped.

   resample(lines, starts, weights, out, standing, avx2) computes for every output i, line n and channel c

       out[i, n, c] = clip8((sum over the lanes k of c: weights[i, k] * lines[n, starts[i] + k] + 2^21) >> 22)

   where lane k, one byte of a line, belongs to channel k mod channels. The result is transposed, so a second pass goes
   along the other axis and restores the orientation: a resize is two calls. Standing lines are the columns of the
   buffer instead of its rows, as in a picture that is turned by 90 degrees.

   Why the bits are Pillow's: Pillow adds the same integer products, in 32 bits. Here they are added modulo 2^32, so
   neither their order nor the zero weights that fill up the lanes matter. Every sum fits a signed 32-bit integer: the
   weights of an output add up to 2^22, and the negative ones to less than a quarter of it, so the absolute weights add
   up to less than 1.5 * 2^22, and 255 * 1.5 * 2^22 < 2^31.

   The plain twin is Pillow's resize; tests/image/test_resample.py holds both equal, with and without AVX2. */

#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && defined(__x86_64__)
#define HAS_AVX2_CODE 1
#include <immintrin.h>
#else
#define HAS_AVX2_CODE 0
#endif

enum { LANES = 8, TOGETHER = 4, ABREAST = LANES * TOGETHER, PRECISION = 22, HALF = 1 << (PRECISION - 1) };

typedef struct {
    const uint8_t *lines;    /* (line_count, line_bytes), or standing (line_bytes / channels, line_count * channels) */
    const int32_t *starts;   /* (outputs,): offset of the first lane of each output, in bytes of a line */
    const uint32_t *weights; /* (outputs, lanes), two's complement; lanes is a multiple of LANES */
    uint8_t *out;            /* (outputs, line_count, channels), any strides of the first two; channels divide 4 */
    Py_ssize_t line_count, line_bytes, outputs, lanes, channels, output_step, line_step;
} Pass;

static inline uint8_t clip8(uint32_t sum) {
    int32_t value = (int32_t)(sum + HALF) >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Stores one pixel; sums[k] is the sum of lanes k, k + 4, k + 8 ... */
static inline void store(const uint32_t sums[4], Py_ssize_t channels, uint8_t *pixel) {
    for (Py_ssize_t c = 0; c < channels; c++) {
        uint32_t sum = 0;
        for (Py_ssize_t k = c; k < 4; k += channels) sum += sums[k];
        pixel[c] = clip8(sum);
    }
}

static inline void lying_of(const Pass *p, const Py_ssize_t channels) {
    for (Py_ssize_t n = 0; n < p->line_count; n++) {
        for (Py_ssize_t i = 0; i < p->outputs; i++) {
            const uint8_t *bytes = p->lines + n * p->line_bytes + p->starts[i];
            const uint32_t *weights = p->weights + i * p->lanes;
            uint32_t sums[4] = {0};
            for (Py_ssize_t k = 0; k < p->lanes; k += 4)
                for (int j = 0; j < 4; j++) sums[j] += weights[k + j] * bytes[k + j];
            store(sums, channels, p->out + i * p->output_step + n * p->line_step);
        }
    }
}

static void lying(const Pass *p) {
    if (p->channels == 4) lying_of(p, 4); /* a constant lets the compiler unroll the loop over channels */
    else lying_of(p, p->channels);
}

/* Output i of standing lines, for the bytes begin..end of a row; each byte has its own sum. */
static void standing_bytes(const Pass *p, Py_ssize_t i, Py_ssize_t begin, Py_ssize_t end) {
    Py_ssize_t row = p->line_count * p->channels;
    for (Py_ssize_t b = begin; b < end; b++) {
        const uint8_t *byte = p->lines + p->starts[i] / p->channels * row + b;
        uint32_t sum = 0;
        for (Py_ssize_t k = 0; k < p->lanes; k += p->channels, byte += row) sum += p->weights[i * p->lanes + k] * *byte;
        p->out[i * p->output_step + b / p->channels * p->line_step + b % p->channels] = clip8(sum);
    }
}

static void standing(const Pass *p) {
    for (Py_ssize_t i = 0; i < p->outputs; i++) standing_bytes(p, i, 0, p->line_count * p->channels);
}

#if HAS_AVX2_CODE
#define AVX2_INLINE __attribute__((always_inline, target("avx2"))) static inline

/* As store, from sums of lanes k, k + 8, k + 16 ... */
AVX2_INLINE void store_avx2(__m256i eight, Py_ssize_t channels, uint8_t *pixel) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    if (channels == 4) {
        __m128i values = _mm_srai_epi32(_mm_add_epi32(four, _mm_set1_epi32(HALF)), PRECISION);
        __m128i words = _mm_packs_epi32(values, values); /* packing saturates, which clips */
        int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        memcpy(pixel, &bytes, 4);
    } else {
        uint32_t sums[4];
        _mm_storeu_si128((__m128i *)sums, four);
        store(sums, channels, pixel);
    }
}

/* `count` lines together, from line n on: each weight is loaded once for all of them. */
AVX2_INLINE void lying_together(const Pass *p, Py_ssize_t n, const int count) {
    for (Py_ssize_t i = 0; i < p->outputs; i++) {
        const uint8_t *bytes = p->lines + n * p->line_bytes + p->starts[i];
        const uint32_t *weights = p->weights + i * p->lanes;
        __m256i sums[TOGETHER];
        for (int l = 0; l < count; l++) sums[l] = _mm256_setzero_si256();
        for (Py_ssize_t k = 0; k < p->lanes; k += LANES) {
            __m256i weight = _mm256_loadu_si256((const __m256i *)(weights + k));
            for (int l = 0; l < count; l++) {
                __m128i packed = _mm_loadl_epi64((const __m128i *)(bytes + l * p->line_bytes + k));
                __m256i products = _mm256_mullo_epi32(weight, _mm256_cvtepu8_epi32(packed));
                sums[l] = _mm256_add_epi32(sums[l], products);
            }
        }
        uint8_t *pixel = p->out + i * p->output_step + n * p->line_step;
        for (int l = 0; l < count; l++) store_avx2(sums[l], p->channels, pixel + l * p->line_step);
    }
}

__attribute__((target("avx2"))) static void lying_avx2(const Pass *p) {
    Py_ssize_t n = 0;
    for (; n + TOGETHER <= p->line_count; n += TOGETHER) lying_together(p, n, TOGETHER);
    for (; n < p->line_count; n++) lying_together(p, n, 1);
}

__attribute__((target("avx2"))) static void standing_avx2(const Pass *p) {
    Py_ssize_t row = p->line_count * p->channels;
    for (Py_ssize_t i = 0; i < p->outputs; i++) {
        Py_ssize_t b = 0;
        for (; b + ABREAST <= row; b += ABREAST) {
            const uint8_t *bytes = p->lines + p->starts[i] / p->channels * row + b;
            __m256i sums[TOGETHER];
            for (int l = 0; l < TOGETHER; l++) sums[l] = _mm256_setzero_si256();
            for (Py_ssize_t k = 0; k < p->lanes; k += p->channels, bytes += row) {
                __m256i weight = _mm256_set1_epi32((int32_t)p->weights[i * p->lanes + k]);
                for (int l = 0; l < TOGETHER; l++) {
                    __m128i packed = _mm_loadl_epi64((const __m128i *)(bytes + l * LANES));
                    __m256i products = _mm256_mullo_epi32(weight, _mm256_cvtepu8_epi32(packed));
                    sums[l] = _mm256_add_epi32(sums[l], products);
                }
            }
            for (int l = 0; l < TOGETHER; l++)
                sums[l] = _mm256_srai_epi32(_mm256_add_epi32(sums[l], _mm256_set1_epi32(HALF)), PRECISION);
            /* Packing saturates, which clips. It works on 128-bit halves, which are then put in order. */
            __m256i low = _mm256_packs_epi32(sums[0], sums[1]), high = _mm256_packs_epi32(sums[2], sums[3]);
            __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            __m256i packed = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
            uint8_t done[ABREAST], *pixel = p->out + i * p->output_step + b / p->channels * p->line_step;
            _mm256_storeu_si256((__m256i *)done, packed);
            for (int k = 0; k < ABREAST; k += (int)p->channels, pixel += p->line_step)
                memcpy(pixel, done + k, (size_t)p->channels);
        }
        standing_bytes(p, i, b, row);
    }
}

static int has_avx2(void) { return __builtin_cpu_supports("avx2") != 0; }
#else
static void lying_avx2(const Pass *p) { lying(p); }
static void standing_avx2(const Pass *p) { standing(p); }
static int has_avx2(void) { return 0; }
#endif

/* Fills in the pass. Returns NULL, or the fault of the buffers. The passes access only memory that is checked here. */
static const char *pass_of(const Py_buffer *b, Pass *p) {
    const Py_buffer *lines = &b[0], *starts = &b[1], *weights = &b[2], *out = &b[3];
    if (out->ndim != 3 || out->itemsize != 1 || out->strides[2] != 1)
        return "out is not uint8 (outputs, lines, channels)";
    if (starts->itemsize != 4 || weights->itemsize != 4) return "starts and weights are not int32";
    *p = (Pass){.lines = lines->buf, .starts = starts->buf, .weights = weights->buf, .out = out->buf,
                .outputs = out->shape[0], .line_count = out->shape[1], .channels = out->shape[2],
                .output_step = out->strides[0], .line_step = out->strides[1]};
    if (p->outputs < 1 || p->line_count < 1 || p->channels < 1 || 4 % p->channels != 0)
        return "out has no pixels, or neither 1, 2 nor 4 channels";
    if (lines->len % p->line_count != 0) return "lines differ in length";
    p->line_bytes = lines->len / p->line_count;
    p->lanes = weights->len / 4 / p->outputs;
    if (starts->len != 4 * p->outputs || weights->len != 4 * p->outputs * p->lanes || p->lanes % LANES != 0)
        return "starts or weights have a wrong shape";
    if (p->line_bytes % p->channels != 0) return "lines have no whole pixels";
    for (Py_ssize_t i = 0; i < p->outputs; i++)
        if (p->starts[i] < 0 || p->starts[i] > p->line_bytes - p->lanes || p->starts[i] % p->channels != 0)
            return "starts lead out of a line";
    return NULL;
}

static PyObject *resample(PyObject *module, PyObject *args) {
    static const int FLAGS[4] = {PyBUF_CONTIG_RO, PyBUF_CONTIG_RO, PyBUF_CONTIG_RO, PyBUF_STRIDED};
    PyObject *objects[4];
    Py_buffer buffers[4];
    int stand, avx2, held = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOpp", &objects[0], &objects[1], &objects[2], &objects[3], &stand, &avx2))
        return NULL;
    while (held < 4 && PyObject_GetBuffer(objects[held], &buffers[held], FLAGS[held]) == 0) held++;
    if (held == 4) {
        Pass pass;
        const char *wrong = avx2 && !has_avx2() ? "this processor has no AVX2" : pass_of(buffers, &pass);
        if (wrong != NULL) {
            PyErr_SetString(PyExc_ValueError, wrong);
        } else {
            Py_BEGIN_ALLOW_THREADS
            if (stand) (avx2 ? standing_avx2 : standing)(&pass);
            else (avx2 ? lying_avx2 : lying)(&pass);
            Py_END_ALLOW_THREADS
        }
    }
    while (held > 0) PyBuffer_Release(&buffers[--held]);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static int add_constants(PyObject *module) {
    if (PyModule_AddIntConstant(module, "LANES", LANES) < 0) return -1;
    return PyModule_AddObjectRef(module, "AVX2", has_avx2() ? Py_True : Py_False);
}

static PyMethodDef METHODS[] = {{"resample", resample, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, add_constants}, {0, NULL}};
static PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, .m_name = "_resample", .m_methods = METHODS, .m_slots = SLOTS};

PyMODINIT_FUNC PyInit__resample(void) { return PyModuleDef_Init(&MODULE); }
